import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import ts from 'typescript';

/** A TypeScript file of the repository. */
export interface SourceFile {
  /** Path in the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** A type that a file declares, exported or not. */
export interface DeclaredType {
  readonly name: string;
  readonly path: string;
}

/** The TypeScript files under some folders, tests included. */
export function sourceFiles(...folders: string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    (readdirSync(folder, { recursive: true }) as string[])
      .map((file) => join(folder, file.replaceAll('\\', '/')))
      .filter((path) => path.endsWith('.ts') && !/(^|\/)(node_modules|dist)\//.test(path))
      .map((path) => ({ path, text: readFileSync(path, 'utf8') })),
  );
}

/** True for the files of the product: files in `src` that are not tests. */
export function isProduct({ path }: SourceFile): boolean {
  return /^[^/]+\/[^/]+\/src\//.test(path) && !/\.(spec|d)\.ts$/.test(path);
}

/** Classes, interfaces, type aliases and enums at the top of files. */
export function declaredTypes(files: readonly SourceFile[]): DeclaredType[] {
  return files.flatMap((file) =>
    parse(file).statements.flatMap((node) =>
      (ts.isClassDeclaration(node) ||
        ts.isInterfaceDeclaration(node) ||
        ts.isTypeAliasDeclaration(node) ||
        ts.isEnumDeclaration(node)) &&
      node.name
        ? { name: node.name.text, path: file.path }
        : [],
    ),
  );
}

/** Names that a library's `index.ts` exports, as the compiler sees them. */
export function exportsOf(index: string, files: readonly SourceFile[]): Set<string> {
  const file = files.find(({ path }) => path === index);
  const names = new Set<string>();
  if (!file) throw new Error(`there is no ${index}`);
  for (const node of parse(file).statements) {
    if (isExported(node)) for (const name of namesOf(node)) names.add(name);
    if (!ts.isExportDeclaration(node)) continue;
    if (node.exportClause && ts.isNamedExports(node.exportClause)) {
      for (const { name } of node.exportClause.elements) names.add(name.text);
    } else if (node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      const from = join(dirname(index), node.moduleSpecifier.text.replace(/\.js$/, '.ts'));
      for (const name of exportsOf(from, files)) names.add(name);
    }
  }
  return names;
}

/** Names that a file imports from a package, or exports again. */
export function importedFrom(name: string, file: SourceFile): string[] {
  return parse(file).statements.flatMap((node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return [];
    if (!node.moduleSpecifier || (node.moduleSpecifier as ts.StringLiteral).text !== name) return [];
    const names = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
    if (!names || !(ts.isNamedImports(names) || ts.isNamedExports(names))) return [];
    return names.elements.map((element) => (element.propertyName ?? element.name).text);
  });
}

const parsed = new WeakMap<SourceFile, ts.SourceFile>();

function parse(file: SourceFile): ts.SourceFile {
  let tree = parsed.get(file);
  if (!tree) parsed.set(file, (tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest)));
  return tree;
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function namesOf(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? name.text : []));
  }
  const { name } = node as Partial<ts.DeclarationStatement>;
  return name && ts.isIdentifier(name) ? [name.text] : [];
}

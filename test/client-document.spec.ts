import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const document = readFileSync(join(root, 'docs/client.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...document.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code!);

const CONTEXT = `declare function fetchToken(): Promise<string>;\ndeclare const signal: AbortSignal;\n`;

function compile(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(path) ?? readFile.call(host, path);
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = files.get(path);
    return text === undefined
      ? getSourceFile.call(host, path, version, ...rest)
      : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram(
    [...files.keys()],
    { ...options, noEmit: true, incremental: false, jsx: ts.JsxEmit.ReactJSX },
    host,
  );
  return [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  });
}

it('has examples that compile', () => {
  const at = (code: string): string => code.replace('./wss-contract.js', '../contract/wss-contract.js');
  const [tsx] = blocks('tsx');
  expect(tsx!.trim().split('\n').length).toBeLessThanOrEqual(50);
  const files = new Map([
    [join(root, 'test/document-example.tsx'), at(tsx!)],
    [join(root, 'test/document-steps.ts'), CONTEXT + at(blocks('ts').join('\n'))],
  ]);
  expect(compile(files)).toEqual([]);
});

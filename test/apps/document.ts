import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A code block of a document. */
export interface CodeBlock {
  /** Title of the section that it stands in. */
  readonly section: string;
  /** The word after the fence: `ts`, `sh`. */
  readonly language: string;
  /** The file that its first line names, as `// src/main.ts`; a block without such a line is no file. */
  readonly file?: string;
  /** The lines that a reader copies. */
  readonly text: string;
}

const BLOCK = /^```(\w+)\n([^]*?)^```$/gm;
const FILE = /^\/\/ ([\w./-]+\.(?:ts|mjs))(?: .*)?\n/;

/** The code blocks of a document, by its sections. */
export class Document {
  readonly blocks: readonly CodeBlock[];
  private readonly sections: readonly Section[];

  /** @param path absolute, or from the root of the repository */
  constructor(readonly path: string) {
    const text = readFileSync(resolve(root, path), 'utf8');
    this.sections = sectionsOf(text);
    this.blocks = this.sections.flatMap(blocksOf);
  }

  /**
   * Finds the only block of a section that has this file or language.
   * @throws Error when there is none, or more than one
   */
  only(section: string, what: string): CodeBlock {
    const found = this.blocks.filter(
      (block) => block.section === section && (block.file ?? block.language) === what,
    );
    if (found.length === 1) return found[0]!;
    throw new Error(`${this.path} has ${found.length} blocks "${what}" in its section "${section}"`);
  }

  /** Packages that a section names with a version, as `@nestjs/config@4`: the package, and the name with the version. */
  versions(section: string): Record<string, string> {
    const texts = this.sections.filter(({ title }) => title === section).map(({ text }) => text);
    const named = texts.flatMap((text) => [...text.matchAll(/`((@[\w-]+\/[\w-]+)@\d+)`/g)]);
    return Object.fromEntries(named.map(([, withVersion, name]) => [name!, withVersion!]));
  }

  /** The blocks of a section that are lines for a shell. */
  shell(section: string): CodeBlock[] {
    return this.blocks.filter((block) => block.section === section && block.language === 'sh');
  }

  /** The blocks of a section that are parts of a file. */
  snippets(section: string): CodeBlock[] {
    return this.blocks.filter(
      (block) => block.section === section && block.language === 'ts' && block.file === undefined,
    );
  }

  /** The blocks of a section that are files. */
  files(section: string): (CodeBlock & { readonly file: string })[] {
    return this.blocks.flatMap((block) => {
      const { file } = block;
      return block.section === section && file !== undefined ? [{ ...block, file }] : [];
    });
  }
}

interface Section {
  readonly title: string;
  readonly text: string;
}

/** A heading inside of a code block (`# a comment`) begins no section. */
function sectionsOf(text: string): Section[] {
  const sections: { title: string; text: string }[] = [{ title: '', text: '' }];
  let isCode = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    const title = isCode ? undefined : /^#+ (.*)$/.exec(line)?.[1];
    if (title === undefined) sections.at(-1)!.text += `${line}\n`;
    else sections.push({ title, text: '' });
  }
  return sections;
}

function blocksOf({ title, text }: Section): CodeBlock[] {
  return [...text.matchAll(BLOCK)].map(([, language, code]) => {
    const file = FILE.exec(code!)?.[1];
    return { section: title, language: language!, text: code!, ...(file !== undefined && { file }) };
  });
}

import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hermeticEnv, ManagedProcess, type Random, TemporaryFolder } from '@wss/testing';

const root = fileURLToPath(new URL('../..', import.meta.url));
const KEPT = [
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
];
const SOURCES = 'apps/gateway/src';
const PAGE = `${SOURCES}/page/browser`;

/** A node that shows what it was built from, at /served; it starts in a moment. */
const MAIN = `
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parts } from './parts/index.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const assets = ${JSON.stringify(['page/browser/index.html', 'page/browser/page.css', 'scripts/one.lua', 'page/browser/page.js'])};
const { pid, env } = process;
const served = { pid, engineFile: env['ENGINE_FILE'], parts, assets: Object.fromEntries(assets.map((path) => [path, read(path)])) };
const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  response.end(request.url === '/served' ? JSON.stringify(served) : '{}');
});
server.listen(Number(process.env['SERVER_PORT'] ?? 0), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(\`wss node tiny\${process.pid} is ready: http://127.0.0.1:\${port}/\\n\`);
});
// Requests that were led to it just before are answered.
process.on('SIGTERM', () => setTimeout(() => server.close(() => process.exit(0)), 50));
`;

/** The texts that the tiny node is built from, by path, and what it was given. */
export interface Served {
  readonly pid: number;
  readonly engineFile: string;
  readonly parts: Readonly<Record<string, string>>;
  readonly assets: Readonly<Record<string, string>>;
}

/** How editors and git put a new text in the place of an old one. */
const WAYS: Readonly<Record<string, (path: string, text: string) => void>> = {
  'writes it in place': (path, text) => writeFileSync(path, text),
  'unlinks it and makes it again': (path, text) => {
    unlinkSync(path);
    writeFileSync(path, text);
  },
  'renames a new file onto it': (path, text) => {
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  },
  'moves it away and makes it again': (path, text) => {
    renameSync(path, `${path}~`);
    writeFileSync(path, text);
    unlinkSync(`${path}~`);
  },
  'empties it first': (path, text) => {
    writeFileSync(path, '');
    writeFileSync(path, text);
  },
};

/** A repository with the scripts of this one and an application that builds and starts in a moment. */
export class TinyProject {
  private readonly folder = new TemporaryFolder('tiny');
  /** Text of each part, by the path of its module without the ending. */
  private readonly parts = new Map<string, string>();
  private readonly assets = new Map<string, string>();
  private count = 0;

  constructor() {
    for (const name of KEPT) {
      cpSync(join(root, name), this.at(name), { recursive: true, preserveTimestamps: true });
    }
    symlinkSync(join(root, 'node_modules'), this.at('node_modules'));
    mkdirSync(this.at('libs/none/src'), { recursive: true });
    this.write(`${SOURCES}/main.ts`, MAIN);
    for (const path of [
      'page/browser/index.html',
      'page/browser/page.css',
      'scripts/one.lua',
      'page/browser/app.ts',
    ]) {
      this.assets.set(path, this.newText());
      this.write(`${SOURCES}/${path}`, this.assetText(path));
    }
    for (const path of ['one', 'two', 'deep/three']) this.makePart(path);
  }

  /** Starts `npm run dev` there. */
  start(env: NodeJS.ProcessEnv): Promise<ManagedProcess> {
    return ManagedProcess.start(process.execPath, [this.at('scripts/dev.mjs')], {
      cwd: this.folder.path,
      env: hermeticEnv(env),
    });
  }

  remove(): void {
    this.folder.remove();
  }

  /** @returns true if the node was built from what is there now */
  isServed({ parts, assets }: Served): boolean {
    const same = JSON.stringify(Object.entries(parts).sort()) === JSON.stringify([...this.parts].sort());
    return (
      same &&
      [...this.assets].every(([path, text]) => assets[path.replace('app.ts', 'page.js')]!.includes(text))
    );
  }

  /** Changes something as a developer or git does. @returns what was done, for the log */
  edit(random: Random): string {
    const kinds = [
      () => this.changePart(random),
      () => this.changePart(random),
      () => this.changeAsset(random),
      () => this.changeSeveral(random),
      () => this.addPart(`new${++this.count}`),
      () => this.addPart(`folder${++this.count}/new`),
      () => this.removePart(random),
      () => this.checkOutFolder(),
      () => this.failAndMend(random),
    ];
    return random.pick(kinds)();
  }

  private changePart(random: Random): string {
    const part = random.pick([...this.parts.keys()]);
    const way = random.pick(Object.keys(WAYS));
    this.parts.set(part, this.newText());
    WAYS[way]!(this.pathOf(part), this.partText(part));
    return `${part}: ${way}`;
  }

  private changeAsset(random: Random): string {
    const path = random.pick([...this.assets.keys()]);
    const way = random.pick(Object.keys(WAYS));
    this.assets.set(path, this.newText());
    WAYS[way]!(this.at(`${SOURCES}/${path}`), this.assetText(path));
    return `${path}: ${way}`;
  }

  private changeSeveral(random: Random): string {
    return [this.changePart(random), this.changeAsset(random), this.changePart(random)].join('; ');
  }

  private addPart(part: string): string {
    this.makePart(part);
    return `${part}: new`;
  }

  private removePart(random: Random): string {
    const part = random.pick([...this.parts.keys()]);
    if (this.parts.size === 1) return this.changePart(random);
    this.parts.delete(part);
    this.writeIndex();
    unlinkSync(this.pathOf(part));
    return `${part}: removed`;
  }

  /** Another branch without the folder, and back to one with other contents of it. */
  private checkOutFolder(): string {
    rmSync(this.at(`${SOURCES}/parts`), { recursive: true });
    rmSync(this.at(PAGE), { recursive: true });
    for (const part of this.parts.keys()) this.parts.set(part, this.newText());
    for (const path of this.assets.keys()) {
      this.assets.set(path, this.newText());
      this.write(`${SOURCES}/${path}`, this.assetText(path));
    }
    for (const part of this.parts.keys()) this.write(this.relative(part), this.partText(part));
    this.writeIndex();
    return 'all parts and the page: folders removed and made again';
  }

  private failAndMend(random: Random): string {
    const part = random.pick([...this.parts.keys()]);
    writeFileSync(this.pathOf(part), 'export const text: number = "no";\n');
    return `${this.changePart(random)}, after a type error in ${part}: ${this.mend(part)}`;
  }

  private mend(part: string): string {
    this.parts.set(part, this.newText());
    WAYS['unlinks it and makes it again']!(this.pathOf(part), this.partText(part));
    return 'mended';
  }

  private makePart(part: string): void {
    this.parts.set(part, this.newText());
    this.write(this.relative(part), this.partText(part));
    this.writeIndex();
  }

  private writeIndex(): void {
    const names = [...this.parts.keys()];
    const imports = names.map((part, index) => `import { text as t${index} } from './${part}.js';\n`);
    const entries = names.map((part, index) => `'${part}': t${index}`);
    const text = `${imports.join('')}export const parts: Record<string, string> = { ${entries.join(', ')} };\n`;
    this.write(`${SOURCES}/parts/index.ts`, text);
  }

  private partText(part: string): string {
    return `export const text: string = '${this.parts.get(part)}';\n`;
  }

  /** All of one length: a change does not show in the size. */
  private newText(): string {
    return `text ${String(++this.count).padStart(6, '0')}`;
  }

  private assetText(path: string): string {
    const text = this.assets.get(path)!;
    return path.endsWith('.ts') ? `document.title = '${text}';\n` : `${text}\n`;
  }

  private relative(part: string): string {
    return `${SOURCES}/parts/${part}.ts`;
  }

  private pathOf(part: string): string {
    return this.at(this.relative(part));
  }

  private at(path: string): string {
    return join(this.folder.path, path);
  }

  private write(path: string, text: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
  }
}

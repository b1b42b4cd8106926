import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TemporaryFolder } from '@wss/testing';

const root = fileURLToPath(new URL('..', import.meta.url));
const PARTS = [
  ...['apps', 'libs', 'scripts', 'tools', 'contract', 'docs', 'test/quiet-logs.mjs'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'jest.config.mjs', 'nest-cli.json'],
  ...['.oxlintrc.json', '.prettierrc', '.prettierignore'],
];
const TIMEOUT_MS = 180_000;

/** A copy of the repository, so that a generated feature does not disturb others. */
let copy: TemporaryFolder;

const node = (...args: string[]): { code: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy.path, encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}` };
};
const makeFeature = (...names: string[]) => node('scripts/feature.mjs', ...names);
const passed = { code: 0, output: expect.any(String) as unknown };

beforeAll(() => {
  copy = new TemporaryFolder('feature');
  for (const part of PARTS) {
    cpSync(join(root, part), join(copy.path, part), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy.path, 'node_modules'));
});
afterAll(() => copy?.remove());

describe('a feature made by the generator', () => {
  const folder = 'apps/gateway/src/features';

  it('is listed among the features, and follows the rules of the code', () => {
    expect(makeFeature('shopping-list')).toMatchObject(passed);
    expect(readFileSync(join(copy.path, folder, 'index.ts'), 'utf8')).toContain(
      "import { ShoppingListModule } from './shopping-list/shopping-list.module.js';",
    );
    expect(node('node_modules/oxlint/bin/oxlint', folder)).toMatchObject(passed);
  });

  it('grows by the steps of docs/features.md as they are written', () => {
    expect(makeFeature('poll')).toMatchObject(passed);
    followDocument(join(folder, 'poll'));
  });

  it(
    'is formatted, compiles, and passes its own test, as it was made and as it has grown',
    () => {
      expect(node('node_modules/prettier/bin/prettier.cjs', '--check', folder)).toMatchObject(passed);
      expect(node('node_modules/typescript/bin/tsc', '--noEmit')).toMatchObject(passed);
      const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--runInBand'];
      const { code, output } = node(...jest, `${folder}/shopping-list`, `${folder}/poll`);
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toContain(`${8 + 10} passed`);
    },
    TIMEOUT_MS,
  );

  it.each([
    ['Poll', 'is not a valid feature name'],
    ['-poll', 'is not a valid feature name'],
    ['poll--two', 'is not a valid feature name'],
    ['command', 'choose another, e.g. my-command'],
    ['chat', 'apps/gateway/src/features/chat/chat.messages.ts is there already'],
  ])('is not called %s', (name, message) => {
    const { code, output } = makeFeature(name);
    expect(code).toBe(1);
    expect(output).toContain(message);
    expect(output).not.toContain('    at ');
  });

  it('needs one name', () => {
    expect(makeFeature()).toMatchObject({
      code: 1,
      output: expect.stringContaining('npm run feature --') as unknown,
    });
  });
});

/** Does what step 3 of the document says, with the code that stands there. */
function followDocument(folder: string): void {
  const text = readFileSync(join(copy.path, 'docs/features.md'), 'utf8');
  const code = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block!);
  const [message, field, method, roomType, handler, test] = code as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const atEnd = (source: string, member: string): string => source.replace(/\}\n$/, () => `\n${member}}\n`);
  const edit = (file: string, change: (source: string) => string): void => {
    const path = join(copy.path, folder, file);
    const source = readFileSync(path, 'utf8');
    const changed = change(source);
    expect(changed).not.toBe(source);
    writeFileSync(path, changed);
  };
  const [, imports] = /`(import \{ IsInt.*?;)`/.exec(text)!;
  edit('poll.messages.ts', (source) => source.replace(/^import .*\n/, () => `${imports}\n`) + `\n${message}`);
  edit('poll.document.ts', (source) => source.replace('  text!: string;\n', (line) => `${line}\n${field}`));
  edit('poll.document.ts', (source) => atEnd(source, method));
  edit('poll.handlers.ts', (source) => source.replace(/@RoomType\(.*?\}\)\n/s, () => roomType));
  edit('poll.handlers.ts', (source) =>
    source.replace(" } from './poll.messages.js'", (end) => `, PollVotes${end}`),
  );
  edit('poll.handlers.ts', (source) => atEnd(source, handler));
  edit('poll.spec.ts', (source) =>
    source.replace('    await findsItems();\n  });\n', (end) => `${end}\n${test}`),
  );
}

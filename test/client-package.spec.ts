import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { GatewayNode, TemporaryFolder } from '@wss/testing';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 180_000;
const MOST_BYTES = 8_192;

/** A project that uses the SDK; it has only the packages that it installs. */
let project: TemporaryFolder;

function run(command: string, ...args: string[]): { code: number | null; output: string } {
  const options = { cwd: project.path, encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(command, args, options);
  return { code: status, output: `${stdout}${stderr}` };
}

const write = (file: string, text: string): void => writeFileSync(join(project.path, file), text);
const compile = (options: object): { code: number | null; output: string } => {
  const compilerOptions = { module: 'nodenext', strict: true, noEmit: true, target: 'es2022', ...options };
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  return run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
};

beforeAll(() => {
  project = new TemporaryFolder('client');
  const npm = ['--offline', '--no-audit', '--no-fund'];
  const made = spawnSync(process.execPath, ['scripts/client-build.mjs'], { cwd: root, encoding: 'utf8' });
  expect({ ...made, output: `${made.stdout}${made.stderr}` }).toMatchObject({ status: 0 });
  write('package.json', JSON.stringify({ name: 'app', private: true, type: 'module' }));
  expect(run('npm', 'pack', ...npm, join(root, 'libs/client'))).toMatchObject({ code: 0 });
  const packed = readdirSync(project.path).find((file) => file.endsWith('.tgz'))!;
  const installed = [
    `./${packed}`,
    ...['ws', '@types/ws', '@types/node'].map((name) => join(root, 'node_modules', name)),
  ];
  expect(run('npm', 'install', ...npm, ...installed)).toMatchObject({ code: 0 });
  copyFileSync(join(root, 'contract/wss-contract.ts'), join(project.path, 'wss-contract.ts'));
}, TIMEOUT_MS);
afterAll(() => project?.remove());

describe('the package @wss/client', () => {
  it('has no dependency and weighs at most 8,192 bytes after gzip', () => {
    const folder = join(project.path, 'node_modules/@wss/client');
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as object;
    expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
    const code = readFileSync(join(folder, 'dist/index.js'));
    expect(code.toString()).not.toMatch(/\bimport\b/);
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(MOST_BYTES);
  });

  it('works against a node from plain Node with the package ws', async () => {
    const node = await GatewayNode.start();
    write(
      'app.mjs',
      `import { WssClient, WssError } from '@wss/client';
import { WebSocket } from 'ws';
const client = new WssClient('${node.url}?user=ann', { WebSocket });
const board = client.room('board:1');
const copy = board.state('board');
const heard = [];
board.on('board.card-added', ({ seq, data }) => heard.push([seq, data.title]));
const { card } = await board.command('board.add-card', { title: 'a' });
await board.command('board.add-card', { title: 'b' });
await board.command('board.move-card', { card, to: 1 });
const error = await client.command('echo.say', { text: 5 }).catch((thrown) => thrown);
console.log(JSON.stringify({
  heard, cards: copy.value.cards.map(({ title }) => title), version: copy.version,
  echo: await client.command('echo.say', { text: 'hi' }),
  error: [error instanceof WssError, error.code, error.details], status: client.status,
}));
client.close();
`,
    );
    const { code, output } = run(process.execPath, 'app.mjs');
    await node.stop();
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(JSON.parse(output)).toEqual({
      heard: [
        [1, 'a'],
        [2, 'b'],
      ],
      cards: ['b', 'a'],
      version: 3,
      echo: { text: 'hi' },
      error: [true, 'invalid', expect.arrayContaining([{ path: 'text', message: 'text must be a string' }])],
      status: { state: 'open' },
    });
  });

  it('writes the types of a running node, and tells what breaks', async () => {
    const node = await GatewayNode.start();
    const program = ['--no-install', 'wss-contract'];
    const pulled = run('npx', ...program, 'pull', node.httpUrl, '--out', 'api/types.ts');
    expect(pulled).toEqual({ code: 0, output: 'wrote api/types.ts and api/types.json\n' });
    const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(1);
    const committed = join(root, 'contract/wss-contract.ts');
    expect(lines(join(project.path, 'api/types.ts'))).toEqual(lines(committed));
    const path = join(project.path, 'api/types.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"maximum": 1000', '"maximum": 2000'));
    const check = run('npx', ...program, 'pull', node.url, '--out', 'api/types.ts', '--check');
    await node.stop();
    expect(check).toMatchObject({ code: 1, output: expect.stringContaining('data field "by"') as unknown });
    expect(run('npx', ...program)).toMatchObject({
      code: 2,
      output: expect.stringContaining('Usage') as unknown,
    });
    const gone = run('npx', ...program, 'pull', node.httpUrl);
    expect(gone).toMatchObject({ code: 1, output: expect.stringContaining("can't be reached") as unknown });
  });

  it('lets a process end that has closed it, whatever the token callback does', () => {
    write(
      'closed.mjs',
      `import { WssClient } from '@wss/client';
import { WebSocket } from 'ws';
// A wait of ours would keep the process for ten times as long as it is given.
const token = () => new Promise(() => {});
const client = new WssClient('ws://127.0.0.1:1/', { WebSocket, token, tokenWithinMs: 600_000 });
setImmediate(() => client.close());
`,
    );
    expect(run(process.execPath, 'closed.mjs')).toEqual({ code: 0, output: '' });
  });

  it("survives the application's callbacks and its promises that nobody waits for", async () => {
    const node = await GatewayNode.start();
    write(
      'careless.mjs',
      `import { WssClient } from '@wss/client';
import { WebSocket } from 'ws';
const thrown = new Set();
process.on('uncaughtException', ({ message }) => thrown.add(message));
const fault = (where) => () => { throw new Error(where); };
const client = new WssClient('${node.url}?user=ann', { WebSocket, debug: fault('debug') });
const room = client.room('chat:careless');
client.onStatus(fault('onStatus'));
room.onStatus(fault('room.onStatus'));
room.on('chat.sent', fault('on'));
room.members.subscribe(fault('members'));
room.state('chat').ready;
room.join();
room.leave();
room.join();
await room.command('chat.send', { text: 'hi' });
await client.ping();
console.log(client.status.state, [...thrown].sort().join());
room.leave();
room.command('chat.send', { text: 'never sent' });
client.close();
room.join();
room.members.refresh();
client.command('echo.say', {});
`,
    );
    const { code, output } = run(process.execPath, 'careless.mjs');
    await node.stop();
    expect({ code, output }).toEqual({ code: 0, output: 'open debug,members,on,onStatus,room.onStatus\n' });
  });

  it('may be required, and imported where there is no page, without touching one', () => {
    write(
      'app.cjs',
      `const { WssClient, WssError } = require('@wss/client');\nconsole.log(typeof WssClient, new WssError('closed', 'x').code);\n`,
    );
    expect(run(process.execPath, '--no-warnings', 'app.cjs')).toEqual({
      code: 0,
      output: 'function closed\n',
    });
    const forbidden = `for (const name of ['window', 'document', 'navigator', 'location', 'WebSocket']) {
  Object.defineProperty(globalThis, name, { get() { throw new Error(name); } });
}
const { WssClient } = await import('@wss/client');
console.log(typeof WssClient);
`;
    write('server.mjs', forbidden);
    expect(run(process.execPath, 'server.mjs')).toEqual({ code: 0, output: 'function\n' });
  });

  it(
    'is typed by the contract, in Node and in browsers',
    () => {
      const lines = [
        `const client = new WssClient<WssContract>('ws://localhost/', { WebSocket });`,
        `const board = client.room('board:1');`,
        `const { card }: { card: string } = await board.command('board.add-card', { title: 'a' });`,
        `board.state('board').subscribe(({ cards }) => cards.map(({ id }) => id === card));`,
        `for await (const { state } of client.statuses()) state satisfies string;`,
      ];
      const types = `import { WssClient } from '@wss/client';\nimport type { WssContract } from './wss-contract.js';\n`;
      write('app.ts', `import { WebSocket } from 'ws';\n${types}${lines.join('\n')}\n`);
      expect(compile({ lib: ['es2023'], types: ['node'] })).toEqual({ code: 0, output: '' });
      write('app.ts', `${types}${lines.join('\n')}\n`);
      expect(compile({ lib: ['es2023', 'dom'], types: [] })).toEqual({ code: 0, output: '' });
      write('app.ts', `${types}${lines.join('\n')}\nboard.command('board.add-card', { titel: 'a' });\n`);
      expect(compile({ lib: ['es2023', 'dom'], types: [] })).toMatchObject({
        code: 2,
        output: expect.stringContaining('titel') as unknown,
      });
    },
    TIMEOUT_MS,
  );
});

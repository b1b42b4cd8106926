import { afterEach, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '@wss/testing';
import { loadConfig } from '../load-config.js';
import { KeptEngine } from './kept-engine.js';

let folder: TemporaryFolder | undefined;
afterEach(() => {
  folder?.remove();
  folder = undefined;
});
const newPath = (): string => join((folder = new TemporaryFolder('kept')).path, 'engine');

it.each([
  [{ REDIS_SERVER: 'redis://127.0.0.1' }, /ENGINE_FILE and REDIS_SERVER are both set/],
  [{ NODE_ENV: 'production' }, /ENGINE_FILE is for development/],
])('is refused where data must be kept for good: %j', (env, message) => {
  expect(() => loadConfig({ AUTH: 'none', ENGINE_FILE: '/tmp/engine', ...env })).toThrow(message);
});

it('is read once, and by one of those who try', () => {
  const path = newPath();
  const first = KeptEngine.open(path);
  first.engine.room('chat:a').seq = 5;
  first.keep();
  const [second, third] = [KeptEngine.open(path), KeptEngine.open(path)];
  expect(second.engine.rooms.get('chat:a')?.seq).toBe(5);
  expect(third.engine.rooms.size).toBe(0);
  expect(readdirSync(folder!.path)).toEqual([]);
});

const write = (text: string) => (path: string) => writeFileSync(path, text);

it.each([
  ['a folder', (path: string) => mkdirSync(path)],
  ['an empty file', write('')],
  ['something else', write('wss engine')],
])('%s in its place is told and leaves the engine empty', (_, make) => {
  const path = newPath();
  make(path);
  const { engine } = KeptEngine.open(path);
  expect(engine.rooms.size).toBe(0);
});

it('a file of another kind stays as it is', () => {
  const path = newPath();
  writeFileSync(path, '{ "name": "mine" }');
  const kept = KeptEngine.open(path);
  kept.engine.room('chat:a');
  kept.keep();
  expect(readFileSync(path, 'utf8')).toBe('{ "name": "mine" }');
  expect(readdirSync(folder!.path)).toEqual(['engine']);
});

it('a damaged file, and one of another version, are replaced', () => {
  const path = newPath();
  for (const text of ['wss engine 1 ', 'wss engine 999 ']) {
    writeFileSync(path, `${text}${'0'.repeat(64)}\nrest`);
    const kept = KeptEngine.open(path);
    expect([kept.engine.rooms.size, readdirSync(folder!.path)]).toEqual([0, []]);
    kept.engine.room('chat:a');
    kept.keep();
    expect(KeptEngine.open(path).engine.rooms.size).toBe(1);
  }
});

it('nobody else can read it, or make what it is written through', () => {
  const path = newPath();
  const mine = join(folder!.path, 'mine');
  writeFileSync(mine, 'mine');
  symlinkSync(mine, `${path}.${process.pid}`);
  KeptEngine.open(path).keep();
  expect(readFileSync(mine, 'utf8')).toBe('mine');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('a folder that does not exist costs the data, and nothing else', () => {
  const kept = KeptEngine.open(join(newPath(), 'nowhere', 'engine'));
  kept.keep();
  expect(readdirSync(folder!.path)).toEqual([]);
});

it('neither does a file in place of its folder', () => {
  const path = newPath();
  writeFileSync(path, 'mine');
  const kept = KeptEngine.open(join(path, 'engine'));
  expect(() => kept.keep()).not.toThrow();
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

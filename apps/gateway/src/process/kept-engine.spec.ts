import { afterEach, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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

it.each([
  ['a folder', (path: string) => mkdirSync(path)],
  ['an empty file', (path: string) => writeFileSync(path, '')],
  ['something else', (path: string) => writeFileSync(path, 'wss engine')],
])('%s in its place is told and leaves the engine empty', (_, make) => {
  const path = newPath();
  make(path);
  const { engine } = KeptEngine.open(path);
  expect(engine.rooms.size).toBe(0);
});

it('a folder that does not exist costs the data, and nothing else', () => {
  const kept = KeptEngine.open(join(newPath(), 'nowhere', 'engine'));
  kept.keep();
  expect(readdirSync(folder!.path)).toEqual([]);
});

import { expect, it } from '@jest/globals';
import { pathToFileURL } from 'node:url';

const { DevNode } = (await import(pathToFileURL('scripts/lib/dev-node.mjs').href)) as {
  DevNode: new (options: { env: NodeJS.ProcessEnv }) => { losesData(code: number): boolean };
};

it.each([
  ['killed, with a file', { ENGINE_FILE: 'engine' }, 137, true],
  ['ended in order, with a file', { ENGINE_FILE: 'engine' }, 0, false],
  ['ended in order, without a file', {}, 0, true],
  ['killed, on Redis', { REDIS_SERVER: 'redis://127.0.0.1' }, 137, false],
  ['killed, on Redis that a file names', { REDIS_SERVER_FILE: 'url' }, 137, false],
])('says whether the data of a node go with it: %s', (_, env, code, loses) => {
  expect(new DevNode({ env }).losesData(code)).toBe(loses);
});

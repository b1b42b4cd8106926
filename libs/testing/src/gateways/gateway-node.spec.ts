import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { GatewayNode, type GatewayNodeOptions } from './gateway-node.js';
import { TemporaryFolder } from '../processes/temporary-folder.js';
import { writeFakeGateway } from '../../test/fake-gateway.js';

const nodes: GatewayNode[] = [];
let folder: TemporaryFolder;
let entry: string;

beforeAll(() => {
  folder = new TemporaryFolder('fake-gateway');
  entry = writeFakeGateway(folder);
});
afterEach(() => Promise.all(nodes.splice(0).map((node) => node.kill())));
afterAll(() => folder.remove());

async function start(options: GatewayNodeOptions = {}): Promise<GatewayNode> {
  const node = await GatewayNode.start({ entry, ...options });
  nodes.push(node);
  return node;
}
const get = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(5_000) }).then((answer) => answer.text());

it('knows its address and name from what the process prints', async () => {
  const node = await start();
  expect(node.nodeId).toBe(`n-${node.pid}`);
  expect(node.url).toBe(`ws://127.0.0.1:${node.port}/`);
  expect(await get(`${node.httpUrl}hello`)).toBe('/hello');
});

it('runs with no variables but ours and those it was given', async () => {
  process.env['SERVER_PORT'] = '1';
  const node = await start({ redis: 'redis://127.0.0.1:1', env: { AUTH: 'jwt', WS_PATH: '/ws' } });
  delete process.env['SERVER_PORT'];
  const env = JSON.parse(await get(`${node.httpUrl}env`)) as NodeJS.ProcessEnv;
  expect(env).toMatchObject({
    AUTH: 'jwt',
    NODE_ENV: 'test',
    REDIS_SERVER: 'redis://127.0.0.1:1',
    WS_PATH: '/ws',
  });
  expect(env).not.toHaveProperty('SERVER_PORT');
});

it('keeps both output streams and finds lines that are there or still to come', async () => {
  const node = await start();
  const coming = node.waitForLine(/answered (\S+)/);
  await get(`${node.httpUrl}later`);
  expect((await coming)[1]).toBe('/later');
  expect((await node.waitForLine(/warning/)).input).toBe('a warning on the other stream');
  expect(node.output).toContain('answered /later');
  await expect(node.waitForLine(/never/, 20)).rejects.toThrow(
    /no line matched \/never\/: waited 20 ms[^]*later/,
  );
});

it('stops with the exit code, or null when it had to be killed', async () => {
  const [good, stubborn] = await Promise.all([start(), start({ env: { FAKE: 'stubborn' } })]);
  expect(await good.stop()).toBe(0);
  expect(await good.exited).toEqual({ code: 0, signal: null });
  expect(await stubborn.stop(100)).toBeNull();
  expect(stubborn.output).toContain('asked to stop');
});

it('is gone when kill() resolves', async () => {
  const node = await start();
  await node.kill();
  expect(await node.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(() => process.kill(node.pid, 0)).toThrow('ESRCH');
  await expect(node.waitForLine(/never/)).rejects.toThrow('the output ended');
});

it('does not answer while it is paused, and goes on afterwards', async () => {
  const node = await start();
  await node.pause();
  const answer = get(`${node.httpUrl}paused`);
  await expect(node.waitForLine(/paused/, 200)).rejects.toThrow('waited 200 ms');
  node.resume();
  expect(await answer).toBe('/paused');
});

it('fails with the output of a process that ends or does not get ready', async () => {
  const broken = GatewayNode.start({ entry, env: { FAKE: 'broken' } });
  await expect(broken).rejects.toThrow(/did not become ready \({"code":1[^]*WS_PATH must start/);
  const silent = GatewayNode.start({ entry, env: { FAKE: 'silent' }, readyWithinMs: 500 });
  await expect(silent).rejects.toThrow(/did not become ready[^]*a warning on the other stream/);
});

it('says what to do when there is no build', async () => {
  const missing = GatewayNode.start({ entry: '/no/such/main.js' });
  await expect(missing).rejects.toThrow('/no/such/main.js does not exist: run "npm run build" first');
});

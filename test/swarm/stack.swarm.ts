import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { eventually, TestClient } from '@wss/testing';
import { type JWTPayload, SignJWT } from 'jose';
import { Crowd, type CrowdOptions, type CrowdReport } from './crowd.js';
import { SwarmStack } from './swarm-stack.js';

/** Made by scripts/test-swarm.mjs. */
const [FIRST, SECOND, UNHEALTHY] = ['wss-test:first', 'wss-test:second', 'wss-test:unhealthy'];
const CLIENTS = 300;
const MEMBERS_PER_ROOM = 10;
/** Of the stack file. */
const MANAGEMENT_PORT = 3001;
/** Connections of one address on a node in the last tests; the crowd has one address, and a third of it is on each node. */
const PER_ADDRESS = 150;
/** Outages above this are reported one by one, ms. */
const LONG_MS = 2_000;

let stack: SwarmStack;
let crowd: Crowd;
/** Makes the tokens of clients, once they need some. */
let tokenOf: CrowdOptions['tokenOf'];
/** The token of operators, once they need one. */
let management: string;
beforeAll(async () => {
  stack = await SwarmStack.prepare('wss-test', 'dev-stack.yml');
  await stack.deploy({ IMAGE: FIRST });
  await stack.settled(3);
  await stack.reachable(3);
});
afterAll(() => stack?.remove());
beforeEach(() => gather());
afterEach(() => crowd?.close());

async function gather(): Promise<void> {
  const { url } = stack;
  crowd = await Crowd.gather({ url, clients: CLIENTS, membersPerRoom: MEMBERS_PER_ROOM, tokenOf });
  await crowd.everybodyWorks();
}

const statusInside = async (headers?: Record<string, string>): Promise<number[]> =>
  (await stack.inside(MANAGEMENT_PORT, '/metrics', headers)).map(({ status }) => status);

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

const codesOf = ({ losses }: CrowdReport): number[] => [...new Set(losses.map(({ code }) => code))];

function report(what: string, result: CrowdReport): void {
  const { commands, losses, outagesMs, failedAttempts, longestAnswerMs } = result;
  const outage = (share: number): number => outagesMs[Math.floor((outagesMs.length - 1) * share)] ?? 0;
  say(
    `wss: ${what}: ${CLIENTS} clients, ${commands} commands, ${losses.length} connections lost` +
      `${losses.length > 0 ? ` with ${codesOf(result).join(' and ')}` : ''}, ` +
      `${failedAttempts} failed attempts to connect, outage ${outage(0.5)} ms in the middle, ` +
      `${outage(0.99)} ms of 99 %, ${outage(1)} ms at most, longest answer ${Math.round(longestAnswerMs)} ms`,
  );
  for (const { at, code, nodeId, steps, outageMs = Infinity } of losses) {
    if (outageMs <= LONG_MS) continue;
    say(`wss:   ${at.toISOString()} ${code} from ${nodeId}, back after ${outageMs} ms: ${steps.join('; ')}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

it('replaces every node by a new image, and no client loses anything', async () => {
  await stack.deploy({ IMAGE: SECOND });
  await stack.updated('gateway', 'completed');
  await stack.settled(3);
  await crowd.everybodyWorks();
  const result = await crowd.finish();
  report('rolling update', result);
  expect(codesOf(result)).toEqual([1012]);
  expect(await stack.inspect('gateway', '{{.Spec.TaskTemplate.ContainerSpec.Image}}')).toBe(SECOND);
});

it('shows the metrics of every node, inside its network only', async () => {
  const answers = await stack.inside(MANAGEMENT_PORT, '/metrics');
  const clients = answers.map(({ text }) => Number(/^wss_clients (\d+)$/m.exec(text)?.[1]));
  expect(clients).toHaveLength(3);
  expect(clients.reduce((sum, count) => sum + count, 0)).toBe(CLIENTS);
  expect((await fetch(new URL('metrics', stack.httpUrl))).status).toBe(404);
  const result = await crowd.finish();
  report('metrics', result);
  expect(result.losses).toEqual([]);
});

it('loses a node to kill -9, and only its clients notice', async () => {
  const killed = await stack.killGateway();
  await stack.settled(3);
  await crowd.everybodyWorks();
  const result = await crowd.finish();
  report('kill -9', result);
  expect(codesOf(result)).toEqual([1006]);
  expect(new Set(result.losses.map(({ nodeId }) => nodeId))).toEqual(new Set([killed]));
});

it('grows to five nodes and shrinks to two, and no client loses anything', async () => {
  await stack.scale('gateway', 5);
  await stack.settled(5);
  await stack.scale('gateway', 2);
  await stack.settled(2);
  await crowd.everybodyWorks();
  const result = await crowd.finish();
  report('scaling 3 to 5 to 2', result);
  expect(codesOf(result)).toEqual([1012]);
  await stack.scale('gateway', 3);
  await stack.settled(3);
});

it('rolls an image back that fails its health check, and no client notices', async () => {
  const before = await stack.inspect('gateway', '{{.Spec.TaskTemplate.ContainerSpec.Image}}');
  await stack.deploy({ IMAGE: UNHEALTHY });
  await stack.updated('gateway', 'rollback_completed');
  expect(await stack.inspect('gateway', '{{.Spec.TaskTemplate.ContainerSpec.Image}}')).toBe(before);
  await stack.settled(3);
  await crowd.everybodyWorks();
  const result = await crowd.finish();
  report('rollback of an unhealthy image', result);
  expect(result.losses).toEqual([]);
});

it('moves to a Redis outside of the stack by one line', async () => {
  crowd.close();
  await stack.addService('outside', ['redis:7', 'redis-server', '--protected-mode', 'no']);
  await stack.settled(1, 'outside');
  await stack.deploy({ IMAGE: SECOND, REDIS_SERVER: 'redis://wss-test_outside:6379' });
  await stack.updated('gateway', 'completed');
  await stack.scale('redis', 0);
  await stack.settled(3);
  await stack.reachable(3);
  await gather();
  const result = await crowd.finish();
  report('a Redis outside', result);
  expect(result.losses).toEqual([]);
});

it('lets in only who brings a token signed with the secret of the Swarm', async () => {
  crowd.close();
  const key = randomBytes(48).toString('base64');
  management = randomBytes(48).toString('base64');
  const JWT_SECRET_NAME = await stack.addSecret('jwt', key);
  const MANAGEMENT_SECRET_NAME = await stack.addSecret('management', management);
  const names = { JWT_SECRET_NAME, MANAGEMENT_SECRET_NAME };
  const claims = { JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'wss', JWT_USER_CLAIM: 'login' };
  const limits = { MAX_CONNECTIONS_PER_ADDRESS: String(PER_ADDRESS) };
  await stack.deploy({ IMAGE: SECOND, ...names, ...claims, ...limits }, 'docker/jwt-stack.yml');
  await stack.updated('gateway', 'completed');
  await stack.settled(3);
  await stack.reachable(3);

  const signed = (own: JWTPayload, signedWith = key): Promise<string> =>
    new SignJWT({ iss: claims.JWT_ISSUER, aud: claims.JWT_AUDIENCE, ...own })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .sign(Buffer.from(signedWith));
  tokenOf = (login) => signed({ login });
  const good = bearer(await tokenOf('ann'));
  const foreign = bearer(await signed({ login: 'ann' }, management));
  for (const wrong of [
    { iss: 'https://other.example' },
    { aud: 'other' },
    { login: undefined, sub: 'ann' },
  ]) {
    expect(await stack.refusal('/', bearer(await signed({ login: 'ann', ...wrong })))).toBe(401);
  }
  expect(await stack.refusal('/')).toBe(401);
  expect(await stack.refusal('/?user=ann')).toBe(401);
  expect(await stack.refusal('/', foreign)).toBe(401);
  expect(await stack.refusal('/', { ...good, Origin: 'https://elsewhere.example' })).toBe(403);
  expect(await stack.refusal('/elsewhere', good)).toBe(404);
  expect(await statusInside()).toEqual([401, 401, 401]);
  expect(await statusInside(bearer(management))).toEqual([200, 200, 200]);

  await gather();
  const result = await crowd.finish();
  report('signed tokens', result);
  expect(result.losses).toEqual([]);
});

/** Connects as often as it takes to be on every node. */
async function onEveryNode(user: string): Promise<TestClient[]> {
  const headers = bearer(await tokenOf!(user));
  const clients: TestClient[] = [];
  await eventually(
    async () => {
      clients.push(await TestClient.connect(stack.url, { session: true, headers }));
      expect(new Set(clients.map(({ hello }) => hello.client.split('.')[0])).size).toBe(3);
    },
    { withinMs: 60_000 },
  );
  for (const { hello } of clients) expect(hello.user).toBe(user);
  return clients;
}

it('puts a user out on every node, by a call of a job, and nobody else notices', async () => {
  const stolen = bearer(await tokenOf!('ann'));
  const [anns, bobs] = [await onEveryNode('ann'), await onEveryNode('bob')];
  await stack.revoke('ann');
  for (const ann of anns) expect(await ann.closed).toMatchObject({ code: 4501 });
  expect(await stack.refusal('/', stolen)).toBe(401);
  const [{ hello }] = anns as [TestClient];
  const back = await eventually(
    async () => {
      const headers = bearer(await tokenOf!('ann'));
      const protocols = ['wss.v1', `wss.resume.${hello.token}`];
      return TestClient.connect(stack.url, { headers, protocols });
    },
    { withinMs: 20_000, everyMs: 500 },
  );
  expect((await back.event<{ resumed: boolean }>('$hello')).data).toMatchObject({
    user: 'ann',
    resumed: false,
  });
  for (const bob of bobs) expect(await bob.command('$ping', {})).toEqual({});
  for (const client of [back, ...bobs]) await client.close();
  const result = await crowd.finish();
  report('a revoked user', result);
  expect(result.losses).toEqual([]);
});

it('counts connections by the addresses of clients, whatever they say of themselves', async () => {
  const headers = bearer(await tokenOf!('eve'));
  const refusedOf = async (): Promise<number> => {
    const answers = await stack.inside(MANAGEMENT_PORT, '/metrics', bearer(management));
    const refused = /^wss_upgrade_refusals_total\{check="address connections"\} (\d+)$/m;
    return answers.reduce((sum, { text }) => sum + Number(refused.exec(text)?.[1] ?? 0), 0);
  };
  const before = await refusedOf();
  const attempts = 3 * PER_ADDRESS + 50;
  const flood = await stack.connectionsFrom(0, { attempts, headers });
  const others = await stack.connectionsFrom(1, { attempts: 20, headers });
  say(`wss: connections of one address: ${JSON.stringify(flood.statuses)}`);
  expect(Object.keys(flood.statuses)).toEqual(['101', '429']);
  expect(flood.statuses['101']).toBeLessThanOrEqual(3 * PER_ADDRESS);
  expect(flood.statuses['101']).toBeGreaterThanOrEqual(PER_ADDRESS);
  expect(others.statuses).toEqual({ 101: 20 });
  expect((await refusedOf()) - before).toBe(flood.statuses['429']);
  for (const each of [flood, others]) await each.end();
  const result = await crowd.finish();
  report('a flood of connections', result);
  expect(result.losses).toEqual([]);
});

import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { type ServerFrame, TestClient } from '@wss/testing';
import { SignJWT } from 'jose';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../load-config.js';
import { createNode } from '../process/node-app.js';

const NODE = 'this-one';
const SECRET = 'a secret of more than 32 characters';
let app: INestApplication | undefined;
let client: TestClient | undefined;

afterEach(async () => {
  await client?.close();
  await app?.close();
  app = client = undefined;
});

const each = (name: string, values: readonly (string | undefined)[]): NodeJS.ProcessEnv[] =>
  values.map((value) => (value === undefined ? {} : { [name]: value }));

/** Every way to start a node that decides what the page may do. */
const ENVIRONMENTS: readonly NodeJS.ProcessEnv[] = [
  { AUTH: 'none' },
  { AUTH: 'jwt', JWT_SECRET: SECRET },
].flatMap((auth) =>
  each('DEMO', ['1', '0', undefined]).flatMap((demo) =>
    each('NODE_ENV', ['production', 'development', undefined]).map((node) => ({
      ...auth,
      ...demo,
      ...node,
    })),
  ),
);

async function connect(env: NodeJS.ProcessEnv): Promise<TestClient> {
  app = await createNode(AppModule.with(loadConfig(env), NODE), { logger: false });
  await app.listen(0, '127.0.0.1');
  const token = await new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));
  const url = (await app.getUrl()).replace('http', 'ws');
  return (client = await TestClient.connect(`${url}?access_token=${token}&user=ann`));
}

/** The answer of a node to an event without an id. */
const answerTo = async (event: string): Promise<ServerFrame> => {
  client!.send({ event, data: { node: NODE } });
  return client!.next();
};

describe('the demo of a node on its own', () => {
  it.each(ENVIRONMENTS)('with %j kills nothing, and knows of killing in development alone', async (env) => {
    await connect(env);
    const isShown = env.DEMO === undefined ? env.AUTH === 'none' : env.DEMO === '1';
    const isOpen = isShown && env.AUTH === 'none';
    const isDevelopment = isOpen && env.NODE_ENV !== 'production';
    const unknown = { event: 'error', data: { code: 'unknown_event' } };
    expect(await answerTo('demo.kill')).toMatchObject(
      isDevelopment
        ? { event: 'demo.refused', data: { message: expect.stringContaining('only node') as unknown } }
        : unknown,
    );
    expect(await answerTo('demo.nodes')).toMatchObject(
      isOpen
        ? {
            event: 'demo.nodes',
            data: { node: NODE, mayKill: false, nodes: [{ node: NODE, pid: process.pid }] },
          }
        : unknown,
    );
    expect((await fetch(await app!.getUrl())).status).toBe(isShown ? 200 : 404);
  });

  it('does not end for a wish that means another node', async () => {
    await connect({ AUTH: 'none' });
    for (const data of [undefined, null, 7, 'x', [], {}, { node: 'another' }, { node: { $ne: 1 } }])
      client!.send({ event: 'demo.kill', data });
    expect(await answerTo('demo.nodes')).toMatchObject({ event: 'demo.nodes' });
  });
});

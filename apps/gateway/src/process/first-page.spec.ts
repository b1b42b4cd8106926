import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { type INestApplication, Logger } from '@nestjs/common';
import { WssClient } from '@wss/client';
import { newSeed, Random } from '@wss/testing';
import { WebSocket } from 'ws';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../load-config.js';
import { createNode } from './node-app.js';

const document = readFileSync(new URL('../../../../docs/client.md', import.meta.url), 'utf8');
const [, section = ''] = /^## The first page\n(.*?)^## /ms.exec(document) ?? [];
const [, code = ''] = /^```js\n(.*?)^```/ms.exec(section) ?? [];
const [, line = ''] = /^ +WARN \[Connections\] (.*)$/m.exec(section) ?? [];

let app: INestApplication;
let port: number;
const warnings: string[] = [];
beforeAll(async () => {
  app = await createNode(AppModule.with(loadConfig({ AUTH: 'none' }), 'first'), { logger: false });
  await app.listen(0, '127.0.0.1');
  ({ port } = app.getHttpServer().address() as { port: number });
  const none = (): void => undefined;
  Logger.overrideLogger({ log: none, error: none, warn: (text: string) => void warnings.push(text) });
});
afterAll(async () => {
  await app?.close();
  Logger.overrideLogger(false);
});

/** Sockets of a page with this origin; the document's port is the node's. */
function socketsOf(origin: string): typeof WebSocket {
  return class extends WebSocket {
    constructor(_url: string | URL, protocols?: string | string[]) {
      super(`ws://127.0.0.1:${port}/?user=ann`, protocols, { origin });
    }
  } as typeof WebSocket;
}

it('shows the message on a page of another port of this machine', async () => {
  const shown: string[] = [];
  const clients: WssClient[] = [];
  class PageClient extends WssClient {
    constructor(url: string) {
      super(url, { WebSocket: socketsOf('http://localhost:5173') });
      clients.push(this);
    }
  }
  const page = { body: { append: (text: string) => shown.push(text) } };
  const body = code.replace(/^import .*$/m, '');
  const AsyncFunction = (async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<void>;
  await new AsyncFunction('WssClient', 'document', body)(PageClient, page);
  expect(shown).toEqual(['ann: hello']);
  for (const client of clients) client.close();
  expect(warnings).toEqual([]);
});

it('is refused from elsewhere, and the log has the line of the document', async () => {
  const client = new WssClient(`ws://127.0.0.1:${port}/`, { WebSocket: socketsOf('https://app.example') });
  await expect(client.room('chat:lobby').join()).rejects.toMatchObject({ code: 'forbidden' });
  expect(client.status).toMatchObject({ state: 'closed' });
  expect(warnings).toEqual([line]);
});

/** The status of an answer under a name, over a connection of this machine. */
const statusOf = (path: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers: { host } };
    get(options, (answer) => resolve(answer.resume().statusCode)).once('error', reject);
  });

it('shows the page and the contract under names of this machine alone, and its health under any', async () => {
  const seed = newSeed();
  const random = new Random(seed);
  const own = ['localhost', 'app.localhost', '127.0.0.1', '[::1]', '192.168.1.7'];
  const foreign = ['rebound.example', 'localhost.example', '127.0.0.1.example', 'localhostx'];
  for (const path of ['/', '/page.css', '/contract', '/asyncapi.json', '/nowhere']) {
    const [mine, other] = [random.pick(own), random.pick(foreign)];
    const expected = path === '/nowhere' ? 404 : 200;
    expect({ seed, path, mine, status: await statusOf(path, `${mine}:${port}`) }).toMatchObject({
      status: expected,
    });
    expect({ seed, path, other, status: await statusOf(path, `${other}:${port}`) }).toMatchObject({
      status: 403,
    });
  }
  expect(await statusOf('/health/live', 'node-1')).toBe(200);
});

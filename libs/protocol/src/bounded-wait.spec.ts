import { afterEach, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { settledWithin } from './bounded-wait.js';

const never = new Promise<never>(() => undefined);
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** Both ends of a connection. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [Socket];
  open.push(
    () => client.destroy(),
    () => peer.destroy(),
    () => server.close(),
  );
  return [client, peer];
}

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

it('tells whether a promise settled in time', async () => {
  expect(await settledWithin(Promise.resolve(), 1_000)).toBe(true);
  expect(await settledWithin(never, 20)).toBe(false);
  await expect(settledWithin(Promise.reject(new Error('refused')), 1_000)).rejects.toThrow('refused');
});

it('hears an answer that came while the process was busy', async () => {
  const [client, peer] = await connection();
  const answered = settledWithin(once(client, 'data'), 20);
  peer.write('answer');
  busy(100);
  expect(await answered).toBe(true);
});

it('lets a busy process ask and hear the rest, too', async () => {
  const [client, peer] = await connection();
  peer.on('data', (question) => void peer.write(question));
  const asking = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      client.write('question');
      await once(client, 'data');
    }
  };
  const answered = settledWithin(asking(), 2_000);
  busy(2_500);
  expect(await answered).toBe(true);
});

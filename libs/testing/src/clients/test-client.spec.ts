import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { freePort } from '../network/free-port.js';
import { TestClient, type TestClientOptions } from './test-client.js';

/** Answers each frame with the list of texts in its data; `$ID` stands for the frame's id. `$ping` is answered. */
let server: WebSocketServer;
let url: string;
let latest: { socket: WebSocket; request: IncomingMessage };
const received: { text: string; isBinary: boolean }[] = [];
const clients: TestClient[] = [];

beforeAll(async () => {
  const verifyClient = ({ req }: { req: IncomingMessage }, done: (ok: boolean, code?: number) => void) =>
    done(!req.url!.includes('refused'), 503);
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', verifyClient });
  server.on('connection', (socket, request) => {
    latest = { socket, request };
    socket.send('{"event":"$hello","data":{}}');
    socket.on('message', (bytes, isBinary) => answer(socket, bytes as Buffer, isBinary));
  });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => Promise.all(clients.splice(0).map((client) => client.terminate())));
afterAll(() => new Promise((resolve) => server.close(resolve)));

function answer(socket: WebSocket, bytes: Buffer, isBinary: boolean): void {
  received.push({ text: bytes.toString(), isBinary });
  if (isBinary || !bytes.toString().startsWith('{')) return;
  const { event, id, data } = JSON.parse(bytes.toString()) as { event: string; id?: string; data?: unknown };
  const replies = event === '$ping' ? ['{"id":$ID,"data":{}}'] : Array.isArray(data) ? data : [];
  for (const reply of replies) socket.send(String(reply).replace('$ID', () => JSON.stringify(id)));
}

/** A client that has taken the greeting. */
async function connect(options?: TestClientOptions): Promise<TestClient> {
  const client = await TestClient.connect(url, options);
  clients.push(client);
  await client.event('$hello');
  return client;
}
const event = (name: string, seq?: number) => JSON.stringify({ event: name, seq });

it('offers user, headers and subprotocols', async () => {
  const client = await connect({ user: 'ann b', headers: { origin: 'http://x' }, protocols: ['a', 'b'] });
  expect(latest.request.url).toBe('/?user=ann+b');
  expect(latest.request.headers).toMatchObject({ origin: 'http://x', 'sec-websocket-protocol': 'a,b' });
  expect(client.socket.protocol).toBe('a');
});

it('fails with the response of a refused upgrade, or with the socket error', async () => {
  const refused = TestClient.connect(`${url}refused`);
  await expect(refused).rejects.toMatchObject({
    name: 'UpgradeRefused',
    status: 503,
    body: 'Service Unavailable',
  });
  await expect(TestClient.connect(`ws://127.0.0.1:${await freePort()}`)).rejects.toThrow('ECONNREFUSED');
});

it('misses no frame between two awaits and gives each once', async () => {
  const client = await connect();
  client.send({ event: 'x', data: [event('a', 1), event('b', 1), event('a', 2), event('c', 1)] });
  expect(await client.event('c')).toEqual({ event: 'c', seq: 1 });
  expect(await client.next((frame) => frame.seq === 2)).toEqual({ event: 'a', seq: 2 });
  expect(await client.next()).toEqual({ event: 'a', seq: 1 });
  expect(await client.next()).toEqual({ event: 'b', seq: 1 });
  expect(client.frames.map((frame) => frame.event)).toEqual(['$hello', 'a', 'b', 'a', 'c']);
});

it('gives a frame to the first one waiting that it fits', async () => {
  const client = await connect();
  const [two, any, a] = [client.next((frame) => frame.seq === 2), client.next(), client.event('a')];
  client.send({ event: 'x', data: [event('b', 1), event('a', 1), event('b', 2)] });
  expect(await Promise.all([two, any, a])).toEqual([
    { event: 'b', seq: 2 },
    { event: 'b', seq: 1 },
    { event: 'a', seq: 1 },
  ]);
});

it('matches replies by id, in any order, even while others wait for any frame', async () => {
  const client = await connect();
  const any = client.next();
  const first = client.request('first', [], { room: 'r:1', n: 1, ack: 0, epoch: 'e' });
  const second = client.request('second', [
    '{"id":$ID,"data":2,"seq":9}',
    '{"id":"r1","data":1}',
    event('a'),
  ]);
  expect(await second).toEqual({ id: 'r2', data: 2, seq: 9 });
  expect(await first).toEqual({ id: 'r1', data: 1 });
  expect(await any).toEqual({ event: 'a' });
  const frame = JSON.parse(received.find(({ text }) => text.includes('"first"'))!.text);
  expect(frame).toEqual({ event: 'first', data: [], id: 'r1', room: 'r:1', n: 1, ack: 0, epoch: 'e' });
});

it('shows a second reply to the same request', async () => {
  const client = await connect();
  await client.request('x', ['{"id":$ID,"data":1}', '{"id":$ID,"data":1}']);
  expect(await client.drain()).toEqual([{ id: 'r1', data: 1 }]);
});

it('turns an error reply of a command into an error', async () => {
  const client = await connect();
  const error = {
    code: 'invalid',
    message: 'no',
    details: [{ path: 'text', message: 'short' }],
    retry: false,
  };
  const reply = { id: 'r1', error, seq: 4 };
  const failed = client.command('chat.send', [JSON.stringify(reply)]);
  await expect(failed).rejects.toMatchObject({
    name: 'CommandFailed',
    ...error,
    message: /chat.send/,
    reply,
  });
  expect(await client.request('x', ['{"id":$ID,"error":{}}'])).toEqual({ id: 'r2', error: {} });
  expect(await client.command('x', ['{"id":$ID,"data":7}'])).toBe(7);
});

it('joins rooms', async () => {
  const client = await connect();
  const join = client.join('chat:lobby', { last: 50 });
  await client.drain();
  expect(JSON.parse(received.at(-2)!.text)).toEqual({
    event: '$join',
    data: { last: 50 },
    id: 'r1',
    room: 'chat:lobby',
  });
  latest.socket.send('{"id":"r1","data":{"epoch":"e","seq":0}}');
  expect(await join).toEqual({ epoch: 'e', seq: 0 });
});

it('drains exactly what came before the reply to its ping', async () => {
  const client = await connect();
  client.send({ event: 'x', data: [event('a'), event('b')] });
  const drained = client.drain();
  client.send({ event: 'x', data: [event('c')] });
  expect(await drained).toEqual([{ event: 'a' }, { event: 'b' }]);
  expect(await client.drain()).toEqual([{ event: 'c' }]);
  expect(await client.drain()).toEqual([]);
});

it('returns what came before a marker, whether that is there or still to come', async () => {
  const client = await connect();
  const isMarker = (frame: { event?: string }) => frame.event === 'marker';
  client.send({ event: 'x', data: [event('a'), event('marker'), event('b')] });
  expect(await client.until(isMarker)).toEqual([{ event: 'a' }]);
  await client.next((frame) => frame.event === 'b');
  client.send({ event: 'x', data: [event('c'), event('marker')] });
  await client.event('c');
  client.send({ event: 'x', data: [event('marker')] });
  expect([await client.until(isMarker), await client.until(isMarker)]).toEqual([[], []]);
});

it('says what was received when a wait takes too long, and forgets the wait', async () => {
  const client = await connect();
  client.send({ event: 'x', data: [event('a', 7)] });
  await expect(client.event('b', 50)).rejects.toThrow(/the event b did not come: waited 50 ms;[^]*"seq":7/);
  await expect(client.request('slow', [], { withinMs: 20 })).rejects.toThrow('the reply to slow (r1)');
  latest.socket.send('{"id":"r1","data":"late"}');
  expect(await client.next((frame) => frame.id === 'r1')).toEqual({ id: 'r1', data: 'late' });
});

it('fails every wait when the connection ends, after what is there was taken', async () => {
  const client = await connect();
  const waits = [client.event('b'), client.request('x', []), client.drain(), client.until(() => false)];
  await client.socket.ping();
  latest.socket.send(event('a'));
  latest.socket.close(4408, 'slow consumer');
  for (const result of await Promise.allSettled(waits)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { message: /4408 slow consumer/ } });
  }
  expect(await client.closed).toEqual({ code: 4408, reason: 'slow consumer' });
  expect(await client.event('a')).toEqual({ event: 'a' });
  await expect(client.next()).rejects.toThrow('4408');
  expect(() => client.send({ event: 'x' })).toThrow('the connection is not open');
  await expect(client.request('x')).rejects.toThrow('4408');
});

it('closes in order and drops without a word', async () => {
  const client = await connect();
  const atServer = once(latest.socket, 'close');
  expect(await client.close(4000, 'bye')).toEqual({ code: 4000, reason: 'bye' });
  expect((await atServer)[0]).toBe(4000);
  const dropping = await connect();
  const dropped = once(latest.socket, 'close');
  expect((await dropping.terminate()).code).toBe(1006);
  expect((await dropped)[0]).toBe(1006);
});

it('sends raw text and bytes, and shows frames that are no JSON objects', async () => {
  const client = await connect();
  client.sendRaw('not json');
  client.sendRaw(Buffer.from('bytes'));
  await client.drain();
  expect(received.slice(-3, -1)).toEqual([
    { text: 'not json', isBinary: false },
    { text: 'bytes', isBinary: true },
  ]);
  for (const frame of ['nope', '[1]', Buffer.from([1, 255])]) latest.socket.send(frame);
  expect(await client.drain()).toEqual([{ malformed: 'nope' }, { malformed: '[1]' }, { malformed: '01ff' }]);
});

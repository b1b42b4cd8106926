import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { converged } from './convergence.js';
import type { ServerFrame } from './server-frame.js';
import { TestClient, type TestClientOptions } from './test-client.js';
import { TestRoom, type TestRoomOptions } from './test-room.js';

/** Greets, and answers `$join` with the next of these replies, else with the room's present one. */
let replies: object[] = [];
let present: object;
let server: WebSocketServer;
let url: string;
const sockets: { socket: WebSocket; request: IncomingMessage; frames: ServerFrame[] }[] = [];
const clients: TestClient[] = [];

beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket, request) => {
    const frames: ServerFrame[] = [];
    sockets.push({ socket, request, frames });
    const hello = { session: 's', token: `t${sockets.length}`, resumed: sockets.length > 1, rooms: [] };
    if (socket.protocol === 'wss.v1') socket.send(JSON.stringify({ event: '$hello', data: hello }));
    socket.on('message', (bytes: Buffer) => {
      const frame = JSON.parse(bytes.toString()) as ServerFrame;
      frames.push(frame);
      const reply = frame.event === '$join' ? (replies.shift() ?? { data: present }) : { data: {} };
      socket.send(JSON.stringify({ id: frame.id, ...reply }));
    });
  });
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
beforeEach(() => {
  replies = [];
  present = { epoch: 'e', seq: 3, documents: { list: { version: 2, value: { items: ['a'] } } } };
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.terminate()));
  sockets.length = 0;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function join(options?: TestRoomOptions, client?: TestClientOptions): Promise<TestRoom> {
  clients.push(await TestClient.connect(url, { user: 'ann', ...client }));
  return TestRoom.join(clients.at(-1)!, 'r:1', options);
}

/** Sends frames of the room to the client that connected last. */
function send(...frames: object[]): void {
  for (const frame of frames) sockets.at(-1)!.socket.send(JSON.stringify({ room: 'r:1', ...frame }));
}
const event = (seq: number, name = 'x', more: object = {}) => ({ event: name, seq, data: { seq }, ...more });
const patch = (base: number, ...ops: object[]) => ({ patch: { list: { base, ops } } });

describe('a member of a room', () => {
  it('asks for what its options say', async () => {
    await join();
    await join({ last: 5, meta: { color: 'red' } });
    await join({ state: false });
    expect(sockets.map(({ frames }) => frames[0]!.data)).toEqual([
      { state: true },
      { last: 5, state: false, meta: { color: 'red' } },
      { state: false },
    ]);
  });

  it('takes events by name, and in the order of the log', async () => {
    const room = await join();
    send(event(4, 'a'), { event: 'v', data: 1 }, event(5, 'b'), event(6, 'a'), { ...event(1), room: 'r:2' });
    expect(await room.event('b')).toEqual({ event: 'b', seq: 5, data: { seq: 5 } });
    expect(await room.events('a', 'a')).toEqual([
      { event: 'a', seq: 4, data: { seq: 4 } },
      { event: 'a', seq: 6, data: { seq: 6 } },
    ]);
    expect(await room.event('v')).toEqual({ event: 'v', data: 1 });
    expect(room.log.map(({ seq }) => seq)).toEqual([4, 5, 6]);
    expect(room.position).toEqual({ epoch: 'e', seq: 6 });
    send(event(7, 'c'));
    await expect(room.events('a')).rejects.toThrow('event 7 of r:1 is c, not a');
  });

  it.each([
    ['a gap', [event(5)], 'event 5 came after event 3'],
    ['a repeat', [event(4), event(4)], 'event 4 came after event 4'],
    [
      'a wrong base',
      [event(4, 'x', patch(1))],
      'event 4 changes version 1 of list, and the copy has version 2',
    ],
    [
      'a patch that does not fit',
      [event(4, 'x', patch(2, { op: 'replace', path: '/none/0', value: 1 }))],
      'r:1 broke its promise',
    ],
  ])('fails its next wait after %s', async (_, frames, message) => {
    const room = await join();
    send(...frames, event(9, 'end'));
    await expect(room.event('end')).rejects.toThrow(message);
    await expect(room.event('more', 20)).rejects.toThrow(message);
    expect(() => room.document('list')).toThrow(message);
  });

  it('keeps its copies up to date', async () => {
    const room = await join();
    expect(room.document('list')).toEqual({ items: ['a'] });
    send(event(4, 'x', patch(2, { op: 'add', path: '/items/-', value: 'b' })));
    await room.event('x');
    expect(room.documents()).toEqual({ list: { items: ['a', 'b'] } });
    expect(() => room.document('none')).toThrow('r:1 has no live copy of a document "none"');
  });

  it('starts anew at a reset, without the events that were lost', async () => {
    const room = await join();
    send(event(4), event(5));
    const documents = { list: { version: 4, value: { items: [] } } };
    send(
      { event: '$reset', data: { epoch: 'f', seq: 4, lost: { from: 5, to: 5 }, documents } },
      event(5, 'y'),
    );
    await room.event('y');
    expect(room.log.map(({ event: name, seq }) => [name, seq])).toEqual([
      ['x', 4],
      ['y', 5],
    ]);
    expect(room.document('list')).toEqual({ items: [] });
    expect(room.position).toEqual({ epoch: 'f', seq: 5 });
  });

  it('follows a new epoch, and hears of users', async () => {
    const room = await join();
    const change = { version: 1, joined: [{ user: 'bob' }], left: [] };
    send({ event: '$epoch', data: { epoch: 'f', seq: 3 } }, { event: '$presence', data: change }, event(4));
    await room.event('x');
    expect(room.position).toEqual({ epoch: 'f', seq: 4 });
    expect(room.announcements).toEqual([change]);
  });

  it('is none when the join was refused', async () => {
    replies = [{ error: { code: 'forbidden', message: 'no', retry: false } }];
    await expect(join()).rejects.toMatchObject({ name: 'CommandFailed', code: 'forbidden' });
    const client = clients.at(-1)!;
    send(event(1));
    expect((await client.event('x')).seq).toBe(1);
  });

  it('hears no more when it has left', async () => {
    const room = await join();
    await room.leave();
    send(event(8));
    await room.client.event('x');
    expect(room.log).toEqual([]);
  });
});

describe('a client that connects again', () => {
  it('resumes its session, and goes on in each room after the last event that it saw', async () => {
    const room = await join({}, { session: true });
    expect(room.client.hello).toMatchObject({ token: 't1', resumed: false });
    send(event(4));
    await room.event('x');
    replies = [{ data: { epoch: 'e', seq: 6, missed: 2, recovered: true } }];
    await room.client.reconnect();
    expect(sockets[1]!.request.headers['sec-websocket-protocol']).toBe('wss.v1,wss.resume.t1');
    expect(room.client.hello).toMatchObject({ token: 't2', resumed: true });
    expect(sockets[1]!.frames[0]!.data).toEqual({ epoch: 'e', seq: 4, state: true });
    send(event(5), event(6));
    expect(await room.events('x', 'x')).toMatchObject([{ seq: 5 }, { seq: 6 }]);
    expect(room.log.map(({ seq }) => seq)).toEqual([4, 5, 6]);
  });

  it('notices what it missed for ever', async () => {
    const room = await join();
    await room.client.reconnect();
    send(event(6));
    await expect(room.event('x')).rejects.toThrow('event 6 came after event 3');
  });

  it('does not connect where nobody answers', async () => {
    const room = await join();
    await expect(room.client.reconnect('ws://127.0.0.1:1/')).rejects.toThrow('ECONNREFUSED');
    await expect(room.client.next()).rejects.toThrow('did not come');
  });
});

describe('members that converged', () => {
  it('have the position and documents of a client that joins now', async () => {
    const room = await join();
    expect(await converged([room], [url, url])).toEqual({ list: { items: ['a'] } });
    expect(sockets).toHaveLength(3);
    expect(sockets.slice(1).every(({ request }) => request.url === '/?user=ann')).toBe(true);
    await Promise.all(
      sockets.slice(1).map(({ socket }) => socket.readyState === socket.CLOSED || once(socket, 'close')),
    );
  });

  it('are none while one is behind, has another copy, or another epoch', async () => {
    const room = await join();
    const short = { withinMs: 50 };
    for (const other of [
      { epoch: 'e', seq: 4, documents: { list: { version: 2, value: { items: ['a'] } } } },
      { epoch: 'e', seq: 3, documents: { list: { version: 2, value: { items: ['b'] } } } },
      { epoch: 'f', seq: 3, documents: { list: { version: 2, value: { items: ['a'] } } } },
    ]) {
      present = other;
      await expect(converged([room], [url], short)).rejects.toThrow(/ann at http\S+ has .*joined now/s);
    }
  });

  it('are asked for', async () => {
    await expect(converged([], [url])).rejects.toThrow('name the members');
  });
});

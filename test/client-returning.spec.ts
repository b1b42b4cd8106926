import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { LiveState, Room, WssClient } from '@wss/client';
import { eventually } from '@wss/testing';
import { codeOf, endAll, greeting, type Line, open, scripted, start, startNode } from './client/lines.js';

afterEach(endAll);

const nested = (levels: number): object => (levels > 1 ? { in: nested(levels - 1) } : {});
const list = (version: number): object => ({ doc: { version, value: Array.from({ length: version }) } });

/** A client in a room at an event, on a line of a server that does what the test says. */
async function inRoom(seq: number): Promise<{ client: WssClient; line: Line }> {
  const { url, lines } = scripted(greeting);
  const client = open(url);
  const joined = client.room('chat:a').join();
  await eventually(() => expect(lines).toHaveLength(1));
  const line = lines[0]!;
  line.send({ id: (await line.next('$join')).id, data: start(seq) });
  await joined;
  return { client, line };
}

describe('a room', () => {
  it('is kept where its meta is refused', async () => {
    const node = await startNode();
    const room = open(`${node.url}?user=ann`).room(`chat:${randomUUID()}`);
    await room.join({ meta: nested(30) });
    expect(await codeOf(room.setMeta(nested(31)))).toBe('bad_frame');
    for (const meta of [null, undefined, 5]) {
      expect(await codeOf(room.setMeta(meta as unknown as object))).toBe('invalid');
    }
    await eventually(() => expect(room.status).toEqual({ state: 'live' }));
    await room.leave();
    expect(await codeOf(room.join({ meta: nested(31) }))).toBe('bad_frame');
    expect(room.status).toMatchObject({ state: 'left', error: { code: 'bad_frame' } });
    await room.join();
    await room.members.refresh();
    expect(room.members.list).toEqual([{ user: 'ann', meta: nested(30) }]);
  });

  it('that refuses a member is left on the server too', async () => {
    const { client, line } = await inRoom(0);
    const told = codeOf(client.room('chat:a').setMeta({ color: 'red' }));
    const error = { code: 'not_found', message: '', retry: false };
    for (const meta of [{ color: 'red' }, undefined]) {
      const { id, data } = await line.next('$join');
      expect(data['meta']).toEqual(meta);
      line.send({ id, error });
    }
    expect(await told).toBe('not_found');
    expect((await line.next('$leave')).room).toBe('chat:a');
  });

  it('that is joined again tells no event twice', async () => {
    const { client, line } = await inRoom(6);
    const room = client.room('chat:a');
    const seen: unknown[] = [];
    room.on('x', ({ seq }) => seen.push(seq));
    const copy = room.state('doc');
    line.send({ id: (await line.next('$join')).id, data: start(6, { documents: list(6) }) });
    await copy.ready;
    const say = (seq: number): void => {
      const patch = { doc: { base: seq - 1, ops: [{ op: 'add', path: '/-', value: null }] } };
      line.send({ event: 'x', room: 'chat:a', seq, data: {}, patch });
    };
    say(7);
    say(8);
    await eventually(() => expect(seen).toEqual([7, 8]));
    const left = room.leave();
    line.send({ id: (await line.next('$leave')).id, data: {} });
    await left;
    const joined = room.join();
    // A node may have read the documents a moment ago.
    line.send({ id: (await line.next('$join')).id, data: start(7, { documents: list(7) }) });
    await joined;
    for (const seq of [8, 9]) say(seq);
    await eventually(() => expect(copy.version).toBe(9));
    expect(copy.value).toHaveLength(9);
    expect(seen).toEqual([7, 8, 9]);
  });
});

/** A client in a room with a copy at event 8, and what the copy shows from now on. */
async function withCopy(): Promise<{ line: Line; room: Room; copy: LiveState; shown: number[] }> {
  const { client, line } = await inRoom(8);
  const room = client.room('chat:a');
  const copy = room.state('doc');
  line.send({ id: (await line.next('$join')).id, data: start(8, { documents: list(8) }) });
  await copy.ready;
  const shown: number[] = [];
  copy.subscribe((value) => shown.push((value as unknown[]).length));
  return { line, room, copy, shown };
}

async function leave(room: Room, line: Line): Promise<void> {
  const left = room.leave();
  line.send({ id: (await line.next('$leave')).id, data: {} });
  await left;
}

const added = (seq: number): object => ({
  ...{ event: 'x', room: 'chat:a', seq, data: {} },
  patch: { doc: { base: seq - 1, ops: [{ op: 'add', path: '/-', value: null }] } },
});

describe('a copy in a room that is left and joined again', () => {
  it('does not go back where a node has read the document a moment ago', async () => {
    const { line, room, copy, shown } = await withCopy();
    await leave(room, line);
    const joined = room.join();
    line.send({ id: (await line.next('$join')).id, data: start(6, { documents: list(6) }) });
    await joined;
    await copy.ready;
    for (const seq of [7, 8, 9]) line.send(added(seq));
    await eventually(() => expect(shown.at(-1)).toBe(9));
    expect(shown.filter((length) => length < 8)).toEqual([]);
    expect(copy.version).toBe(9);
  });

  it('does not go back where older events are asked for', async () => {
    const { line, room, copy, shown } = await withCopy();
    await leave(room, line);
    const joined = room.join({ last: 1 });
    line.send({ id: (await line.next('$join')).id, data: start(8, { missed: 1 }) });
    line.send(added(8));
    await joined;
    line.send({ id: (await line.next('$join')).id, data: start(6, { documents: list(6) }) });
    await copy.ready;
    for (const seq of [7, 8, 9]) line.send(added(seq));
    await eventually(() => expect(shown.at(-1)).toBe(9));
    expect(shown.filter((length) => length < 8)).toEqual([]);
  });

  it.each([{}, { last: 1 }])('takes what there is when the room has begun anew (%j)', async (options) => {
    const { line, room, copy } = await withCopy();
    await leave(room, line);
    const joined = room.join(options);
    const anew = start(3, { epoch: '2.b' });
    const documents = list(3);
    line.send({ id: (await line.next('$join')).id, data: 'last' in options ? anew : { ...anew, documents } });
    await joined;
    if ('last' in options) {
      line.send({ id: (await line.next('$join')).id, data: { ...anew, documents } });
    }
    await eventually(() => expect(copy.version).toBe(3));
    expect(await copy.ready).toHaveLength(3);
  });

  it('is not ready until it is read again', async () => {
    const { line, room, copy } = await withCopy();
    await leave(room, line);
    expect(await codeOf(copy.ready)).toBe('closed');
    expect(copy.value).toHaveLength(8);
    const joined = room.join();
    const ready = copy.ready;
    line.send({ id: (await line.next('$join')).id, data: start(9, { documents: list(9) }) });
    await joined;
    expect(await ready).toHaveLength(9);
  });
});

describe('a client that can reach nobody', () => {
  it.each([0, NaN, -5])('makes no busy loop of waits of %d ms', async (firstMs) => {
    for (const backoff of [{ firstMs }, { mostMs: firstMs }, { firstMs, mostMs: firstMs }]) {
      const waits: number[] = [];
      const client = open('ws://127.0.0.1:1/', { backoff });
      client.onStatus((status) => status.state === 'waiting' && waits.push(status.inMs!));
      await eventually(() => expect(waits.length).toBeGreaterThan(3));
      client.close();
      expect(waits.filter((ms) => ms > 0)).toEqual(waits);
    }
  });
});

describe('a command', () => {
  it('resolves when a copy that is being read contains its effect', async () => {
    const { client, line } = await inRoom(0);
    const room = client.room('chat:a');
    const copy = room.state('doc');
    const at = room.command('add', {}).then(() => copy.version);
    line.send({ event: 'x', room: 'chat:a', seq: 1, data: {} });
    line.send({ id: (await line.next('add')).id, data: {}, seq: 1, epoch: '1.a' });
    await client.ping();
    line.send({ id: (await line.next('$join')).id, data: start(1, { documents: list(1) }) });
    expect(await at).toBe(1);
  });

  it('ends where reading its data closes the client', async () => {
    const { client } = await inRoom(0);
    const data = { toJSON: () => client.close() ?? {} };
    expect(await codeOf(client.room('chat:a').command('add', data, { timeoutMs: Infinity }))).toBe('closed');
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { CommandFailed, type ServerFrame, TestClient } from '@wss/testing';
import { engines, type Running } from './running.js';

describe.each(engines(3))('the demo features on %s', (_name, start) => {
  let running: Running;
  let clients: TestClient[];
  let id: string;

  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running?.stop());
  beforeEach(async () => {
    id = randomUUID();
    for (const client of clients ?? []) client.socket.terminate();
    const users = ['ann', 'bob', 'cid'];
    clients = await Promise.all(running.urls.map((url, i) => TestClient.connect(url, { user: users[i]! })));
  });

  const joinAll = (room: string, data?: object): Promise<unknown> =>
    Promise.all(clients.map((client) => client.join(room, data)));
  const events = async (client: TestClient, count: number): Promise<ServerFrame[]> => {
    const frames: ServerFrame[] = [];
    while (frames.length < count) frames.push(await client.next());
    return frames;
  };
  const failure = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'no failure',
      (error: unknown) => (error as CommandFailed).code,
    );

  it('echo what was said', async () => {
    expect(await clients[0]!.command('echo.say', { text: 'hi', other: 1 })).toEqual({ text: 'hi' });
    expect(await failure(clients[0]!.command('echo.say', { text: 'x'.repeat(4_097) }))).toBe('invalid');
  });

  it('bring a message to all members, once, in order, with its number', async () => {
    const room = `chat:${id}`;
    await joinAll(room);
    const sent = await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: 20 }, (_, i) =>
          client.command<{ seq: number }>('chat.send', { text: `m${i}` }, { room }),
        ),
      ),
    );
    const seqs = sent.map(({ seq }) => seq).sort((a, b) => a - b);
    expect(seqs).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    const received = await Promise.all(clients.map((client) => events(client, 60)));
    for (const frames of received) {
      expect(frames.map(({ seq }) => seq)).toEqual(seqs);
      expect(frames).toEqual(received[0]);
      for (const user of ['ann', 'bob', 'cid']) {
        const texts = frames.filter(({ data }) => (data as { user: string }).user === user);
        expect(texts.map(({ data }) => (data as { text: string }).text)).toEqual(
          Array.from({ length: 20 }, (_, i) => `m${i}`),
        );
      }
    }
    expect(received[0]![0]).toMatchObject({ event: 'chat.sent', room, data: { at: expect.any(Number) } });
  });

  it('bring typing to the others, without a number', async () => {
    const room = `chat:${id}`;
    await joinAll(room);
    expect(await clients[1]!.command('chat.typing', {}, { room })).toBeNull();
    for (const other of [clients[0]!, clients[2]!]) {
      expect(await other.next()).toEqual({ event: 'chat.typing', room, data: { user: 'bob' } });
    }
    await clients[0]!.command('chat.send', { text: 'after' }, { room });
    expect((await clients[1]!.next()).event).toBe('chat.sent');
  });

  it('count without losing one, from everywhere at once', async () => {
    const room = `counter:${id}`;
    await joinAll(room, { state: true });
    const each = 1_000;
    const values = await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: each }, () =>
          client.command<{ value: number }>('counter.add', { by: 1 }, { room }),
        ),
      ),
    );
    expect(values.map(({ value }) => value).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 3 * each }, (_, i) => i + 1),
    );
    for (const client of clients) {
      const frames = await events(client, 3 * each);
      expect(frames.filter(({ seq }) => seq === undefined).slice(0, 3)).toEqual([]);
      expect(frames.map(({ seq }) => seq)).toEqual(Array.from({ length: 3 * each }, (_, i) => i + 1));
      expect(frames.map(({ data }) => (data as { value: number }).value)).toEqual(
        frames.map(({ seq }) => seq),
      );
    }
    expect(await clients[2]!.command('counter.read', {}, { room })).toEqual({
      value: 3 * each,
      version: 3 * each,
    });
  });

  it('move cards on a shared board', async () => {
    const room = `board:${id}`;
    await joinAll(room);
    const cards: string[] = [];
    for (const [i, client] of clients.entries()) {
      cards.push(
        (await client.command<{ card: string }>('board.add-card', { title: `t${i}` }, { room })).card,
      );
    }
    expect(await clients[1]!.command('board.move-card', { card: cards[0], to: 99 }, { room })).toEqual({
      from: 0,
    });
    expect(await clients[2]!.command('board.remove-card', { card: cards[1] }, { room })).toEqual({});
    expect(await failure(clients[0]!.command('board.move-card', { card: cards[1], to: 0 }, { room }))).toBe(
      'not_found',
    );
    const frames = await events(clients[0]!, 5);
    expect(frames.map(({ event, data }) => [event, data])).toEqual([
      ...cards.map((card, i) => ['board.card-added', { card, title: `t${i}` }]),
      ['board.card-moved', { card: cards[0], from: 0, to: 2 }],
      ['board.card-removed', { card: cards[1], from: 0 }],
    ]);
  });

  it('keep rooms apart and let members leave', async () => {
    const room = `chat:${id}`;
    await joinAll(room);
    expect(await failure(clients[0]!.command('chat.send', { text: 'x' }, { room: `chat:${id}-other` }))).toBe(
      'forbidden',
    );
    expect(await clients[0]!.command('$leave', {}, { room })).toEqual({});
    expect(await clients[0]!.command('$leave', {}, { room })).toEqual({});
    expect(await failure(clients[0]!.command('chat.send', { text: 'x' }, { room }))).toBe('forbidden');
    await clients[1]!.command('chat.send', { text: 'y' }, { room });
    expect((await clients[2]!.next()).data).toMatchObject({ text: 'y' });
    expect(await clients[0]!.drain()).toEqual([]);
  });

  it('do in order what was sent without waiting: join, send, leave', async () => {
    const [client] = clients as [TestClient];
    const room = `chat:${id}`;
    const [joined, sent, left, late] = await Promise.all([
      client.request('$join', {}, { room }),
      client.request('chat.send', { text: 'x' }, { room }),
      client.request('$leave', {}, { room }),
      client.request('chat.send', { text: 'y' }, { room }),
    ]);
    expect([joined.data, sent.data, left.data, late.error?.code]).toEqual([
      expect.objectContaining({ seq: 0, recovered: true }),
      { seq: 1 },
      {},
      'forbidden',
    ]);
  });

  describe('with a session', () => {
    const connect = async (url: string, token?: string) => {
      const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
      const client = await TestClient.connect(url, { user: 'ann', protocols });
      const hello = (await client.next()) as ServerFrame<{
        token: string;
        resumed: boolean;
        session: string;
      }>;
      return { client, hello: hello.data! };
    };

    it('greet first and answer a numbered command with its place', async () => {
      const { client, hello } = await connect(running.urls[0]!);
      expect(hello).toMatchObject({ resumed: false, user: 'ann', maxFrameBytes: 65_536, rooms: [] });
      const room = `counter:${id}`;
      await client.join(room);
      const reply = await client.request('counter.add', { by: 2 }, { room, n: 1 });
      expect(reply).toMatchObject({ data: { value: 2 }, seq: 1, epoch: expect.any(String) });
      expect(reply).not.toHaveProperty('dup');
    });

    it('apply a numbered command once, on whichever node it is repeated', async () => {
      const room = `counter:${id}`;
      const first = await connect(running.urls[0]!);
      await first.client.join(room);
      await first.client.command('counter.add', { by: 2 }, { room, n: 1 });
      await first.client.command('counter.add', { by: 3 }, { room, n: 2 });
      await first.client.terminate();
      const { client, hello } = await connect(running.urls[1]!, first.hello.token);
      expect([hello.resumed, hello.session]).toEqual([true, first.hello.session]);
      await client.join(room);
      expect(await client.request('counter.add', { by: 3 }, { room, n: 2 })).toMatchObject({
        data: { value: 5 },
        seq: 2,
        dup: true,
      });
      expect(await client.request('counter.add', { by: 9 }, { room, n: 2 })).toMatchObject({
        error: { code: 'number_reused' },
      });
      expect(await client.request('counter.add', { by: 1 }, { room, n: 4 })).toMatchObject({
        error: { code: 'out_of_order', details: [{ expected: 3 }], retry: true },
      });
      expect(await client.command('counter.read', {}, { room })).toMatchObject({ value: 5 });
    });

    it('R1: record errors, so that a repeat is told the same', async () => {
      const room = `board:${id}`;
      const { client } = await connect(running.urls[0]!);
      await client.join(room);
      const { card } = await client.command<{ card: string }>(
        'board.add-card',
        { title: 't' },
        { room, n: 1 },
      );
      expect(await client.request('board.remove-card', { card }, { room, n: 2 })).toMatchObject({ data: {} });
      expect(await client.request('board.remove-card', { card }, { room, n: 2 })).toMatchObject({
        data: {},
        dup: true,
      });
      const invalid = await client.request('board.add-card', { title: '' }, { room, n: 3 });
      expect(invalid.error?.code).toBe('invalid');
      const again = await client.request('board.add-card', { title: '' }, { room, n: 3 });
      expect([again.error, again.dup]).toEqual([invalid.error, true]);
      expect(await client.request('nope.nope', {}, { room, n: 4 })).toMatchObject({
        error: { code: 'unknown_event' },
      });
      expect(await client.request('board.add-card', { title: 'u' }, { room, n: 5 })).toMatchObject({
        seq: 3,
      });
    });

    it('R5: give a number up on $skip', async () => {
      const room = `counter:${id}`;
      const { client } = await connect(running.urls[0]!);
      await client.join(room);
      expect(await client.request('$skip', {}, { room, n: 1 })).toMatchObject({ data: null });
      expect(await client.request('counter.add', { by: 1 }, { room, n: 1 })).toMatchObject({
        error: { code: 'number_reused' },
      });
      expect(await client.request('counter.add', { by: 1 }, { room, n: 2 })).toMatchObject({ seq: 1 });
    });

    it('refuse numbers where they can have no meaning', async () => {
      const [plain] = clients as [TestClient];
      const room = `counter:${id}`;
      await plain.join(room);
      expect(await plain.request('counter.add', { by: 1 }, { room, n: 1 })).toMatchObject({
        error: { code: 'bad_frame', message: expect.stringContaining('subprotocol wss.v1') as unknown },
      });
      const { client } = await connect(running.urls[0]!);
      expect(await client.request('$join', {}, { room, n: 1 })).toMatchObject({
        error: { code: 'bad_frame' },
      });
      expect(await client.request('counter.add', { by: 1 }, { room, n: 1 })).toMatchObject({
        error: { code: 'forbidden' },
      });
      await client.join(room);
      expect(await client.request('counter.add', { by: 1 }, { room, n: 1 })).toMatchObject({ seq: 1 });
    });

    it('open a new session for a token that is unknown or another user’s', async () => {
      const { hello } = await connect(running.urls[0]!);
      const forged = `${hello.token.slice(0, -2)}xx`;
      expect((await connect(running.urls[0]!, forged)).hello.resumed).toBe(false);
      const other = await TestClient.connect(running.urls[1]!, {
        user: 'bob',
        protocols: ['wss.v1', `wss.resume.${hello.token}`],
      });
      expect((await other.next()).data).toMatchObject({ resumed: false, user: 'bob' });
    });
  });
});

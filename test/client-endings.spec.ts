import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import type { WssClient, WssError } from '@wss/client';
import { eventually, freePort } from '@wss/testing';
import { WebSocket, type WebSocketServer } from 'ws';
import {
  codeOf,
  endAll,
  endings,
  greeting,
  hello,
  type Line,
  open,
  proxied,
  scripted,
  start,
  startNode,
} from './client/lines.js';

// An unhandled rejection fails its test.
afterEach(endAll);
const aTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const forever = (): Promise<never> => new Promise(() => undefined);
const isOver = { done: true, value: undefined };

/** A server that lets in everywhere and answers everything; `more` is added to the reply to a join. */
const obliging = (more: object = {}): { url: string; lines: Line[] } =>
  scripted((line) => {
    greeting(line);
    line.socket.on('message', (message) => {
      const { event, id } = JSON.parse(String(message)) as { event: string; id?: number };
      if (event === '$join') line.send({ id, data: start(0, more) });
      else if (event === '$presence') line.send({ id, data: { version: 1, count: 0, users: [] } });
      else if (event === '$leave') line.send({ id, data: {} });
    });
  });
const nobody = async (): Promise<string> => `ws://127.0.0.1:${await freePort()}`;

describe('after close()', () => {
  it('every call ends', async () => {
    let asked = 0;
    const client = open(await nobody(), { token: () => String(++asked) });
    const room = client.room('chat:a');
    const copy = room.state('early');
    const lasting = [copy.values(), room.events(), client.events('x'), client.statuses()];
    const before = codeOf(room.members.refresh());
    await eventually(() => expect(asked).toBeGreaterThan(0));
    client.close();
    const once = asked;
    const other = client.room('chat:b');
    for (const [name, work] of Object.entries({
      before,
      refresh: codeOf(room.members.refresh()),
      refreshOfAnother: codeOf(other.members.refresh()),
      join: codeOf(room.join()),
      meta: codeOf(room.setMeta({})),
      ready: codeOf(copy.ready),
      readyOfAnother: codeOf(other.state('late').ready),
      command: codeOf(client.command('x', {})),
      commandInRoom: codeOf(room.command('x', {})),
      ping: codeOf(client.ping()),
      token: codeOf(client.refreshToken()),
    })) {
      expect([name, await work]).toEqual([name, 'closed']);
    }
    await room.leave();
    for (const values of [
      ...[other.state('late').values(), copy.values(), room.events(), other.events()],
      ...[client.events('x'), client.events('y'), client.statuses()],
    ]) {
      expect(await values.next()).toEqual(isOver);
    }
    for (const values of lasting.slice(0, 3)) expect(await values.next()).toEqual(isOver);
    for await (const status of lasting[3]!) expect(status).toBeDefined();
    expect(asked).toBe(once);
  });

  it('a token callback that hangs holds nobody up', async () => {
    const { url } = scripted(greeting);
    let asked = 0;
    const client = open(url, { token: () => (++asked > 1 ? forever() : 't') });
    await client.ping();
    const refreshed = codeOf(client.refreshToken());
    await eventually(() => expect(asked).toBe(2));
    client.close();
    expect(await refreshed).toBe('closed');
  });

  it.each([
    ['a line that is dead', 'mute'],
    ['a line that lives', 'pass'],
  ] as const)('%s is let go', async (_which, mode) => {
    const node = await startNode();
    const proxy = await proxied(node.port);
    const sockets: WebSocket[] = [];
    class Kept extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    const client = open(`ws://127.0.0.1:${proxy.port}/`, { WebSocket: Kept });
    await client.ping();
    await proxy.setMode(mode);
    client.close();
    expect(client.status).toEqual({ state: 'closed', error: undefined });
    await eventually(() => expect(sockets[0]!.readyState).toBe(WebSocket.CLOSED));
  });

  it('says of what was sent that it may have been done', async () => {
    const { url, lines } = obliging();
    const client = open(url);
    await client.ping();
    const room = client.room('chat:a');
    await room.join();
    const sent = [codeOf(room.command('x', {})), codeOf(client.command('y', {}))];
    await lines[0]!.next('x');
    await lines[0]!.next('y');
    client.close();
    expect(await Promise.all(sent)).toEqual(['disconnected', 'disconnected']);
  });

  it('nothing of it is left with a signal that lives on', async () => {
    const { url } = obliging();
    const client = open(url);
    const room = client.room('chat:a');
    const { signal } = new AbortController();
    const iterators = [room.events(signal), client.statuses(signal), client.events('x', signal)];
    const first = room.events(signal);
    await first.return();
    expect(getEventListeners(signal, 'abort')).toHaveLength(3);
    await client.ping({ signal });
    await room.join({ signal });
    void codeOf(room.command('never answered', {}, { signal }));
    client.close();
    for (const values of iterators) for await (const value of values) expect(value).toBeDefined();
    await aTurn();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

it('an iterator ends when it is told to, while it waits', async () => {
  const room = open(await nobody()).room('chat:a');
  const values = room.events();
  const next = values.next();
  await values.return();
  expect(await next).toEqual(isOver);
  expect(await values.next()).toEqual(isOver);
});

describe('a promise that nobody waits for', () => {
  it('does no harm when a room is left or the client closed, as in StrictMode', async () => {
    const node = await startNode();
    const client = open(node.url);
    const room = client.room(`chat:${randomUUID()}`);
    void room.join();
    void room.members.refresh();
    void room.command('chat.send', { text: 'never sent' });
    void room.leave();
    await room.join();
    void room.setMeta({ color: 'red' });
    void room.state('chat').ready;
    void room.leave();
    await client.ping();
    void room.join();
    void client.room('chat:b').command('chat.send', { text: 'never sent' });
    void client.command('echo.say', { text: 'hi' });
    void client.ping();
    void client.refreshToken();
    client.close();
    void room.join();
    void room.members.refresh();
    void client.ping();
    await aTurn();
    await aTurn();
  });
});

describe('a callback of the application', () => {
  it.each([
    ['quotes', 'a"b\\"c"d'],
    ['backslashes at the end', 'secret\\'],
  ])('gets a token with %s in no frame', async (_what, token) => {
    const { url, lines } = scripted(({ send }) => send(hello({ token })));
    const seen: unknown[] = [];
    const client = open(url, { token, debug: (_kind, what) => seen.push(what) });
    await client.ping();
    const refreshed = client.refreshToken();
    const { id } = await lines[0]!.next('$auth');
    lines[0]!.send({ id, data: { expiresAt: null, token } });
    await refreshed;
    expect(JSON.stringify(seen)).toContain('$auth');
    for (const part of ['c"d', 'secret', 'c\\\\"d', 'c\\"d']) expect(seen.join('\n')).not.toContain(part);
  });

  it.each([[{ secret: 'hush' }], [7], [true]])('that returns the token %j is told so', async (token) => {
    const { url, lines } = scripted(greeting);
    const client = open(url, { token: () => token as unknown as string });
    await eventually(() =>
      expect(client.status).toMatchObject({ state: 'closed', error: { code: 'bad_token' } }),
    );
    expect((client.status as { error: WssError }).error.message).toMatch(/string/);
    expect(lines).toHaveLength(0);
  });

  const documents = { doc: { version: 0, value: { n: 0 } } };
  type Act = (client: WssClient) => unknown;
  const acts: [string, Act][] = [
    ['leaves', (client) => client.room('chat:a').leave()],
    [
      'leaves and joins again',
      (client) => [client.room('chat:a').leave(), codeOf(client.room('chat:a').join())],
    ],
    ['closes', (client) => client.close()],
  ];
  const places: [string, (client: WssClient, act: () => void) => void][] = [
    ['onStatus', (client, act) => client.room('chat:a').onStatus(({ state }) => state === 'reset' && act())],
    ['onReset', (client, act) => client.room('chat:a').onReset(act)],
    ['on', (client, act) => client.room('chat:a').on('x', act)],
    ['state', (client, act) => client.room('chat:a').state('doc').subscribe(act)],
    ['members', (client, act) => client.room('chat:a').members.subscribe(act)],
    ['onHello', (client, act) => client.onHello(act)],
  ];
  it.each(places.flatMap(([place, put]) => acts.map(([what, act]) => ({ place, what, put, act }))))(
    'in $place that $what breaks nothing',
    async ({ what, put, act }) => {
      const { url, lines } = scripted((line) => {
        greeting(line);
        line.socket.on('message', (message) => {
          const { event, id, room } = JSON.parse(String(message)) as {
            event: string;
            id?: number;
            room?: string;
          };
          if (event === '$leave') line.send({ id, data: {} });
          if (event === '$presence') line.send({ id, data: { version: 1, count: 0, users: [] } });
          if (event !== '$join') return;
          line.send({ id, data: start(0, { documents }) });
          const patch = { doc: { base: 0, ops: [{ op: 'replace', path: '/n', value: 1 }] } };
          line.send({ event: 'x', room, seq: 1, data: {}, patch });
          const reset = { epoch: '2.b', seq: 1, applied: null, reason: 'rolled_back', documents };
          line.send({ event: '$reset', room, data: { ...reset, lost: null } });
        });
      });
      const client = open(url);
      const room = client.room('chat:a');
      let acted = 0;
      const joined = codeOf(room.join());
      put(client, () => acted++ === 0 && act(client));
      await joined;
      await eventually(() => expect(acted).toBeGreaterThan(0));
      if (what === 'closes') {
        expect(client.status).toEqual({ state: 'closed', error: undefined });
        expect(room.status).toEqual({ state: 'left', error: undefined });
        return;
      }
      await client.ping();
      await room.join();
      await client.ping();
      expect(client.status).toEqual({ state: 'open' });
      await eventually(() => expect(room.status.state).toMatch(/live|reset/));
      expect(lines).toHaveLength(1);
    },
  );
});

describe('what can not be sent', () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const long = 'x'.repeat(70_000);
  const toJSON = (): never => {
    throw new Error('no');
  };

  it('is refused here with a code, and costs no connection', async () => {
    const node = await startNode();
    const client = open(node.url);
    let hellos = 0;
    client.onHello(() => hellos++);
    await client.ping();
    const room = client.room(`chat:${randomUUID()}`);
    const errors: string[] = [];
    client.onError(({ code }) => errors.push(code));
    const all: [() => Promise<unknown>, string][] = [
      ...[circular, 1n, { toJSON }, () => undefined, Symbol('s')].flatMap(
        (data): [() => Promise<unknown>, string][] => [
          [() => client.command('echo.say', data), 'invalid'],
          [() => room.command('chat.send', data), 'invalid'],
          [() => room.join({ meta: data as object }), 'invalid'],
          [() => room.setMeta(data as object), 'invalid'],
        ],
      ),
      [() => room.setMeta([1]), 'invalid'],
      [() => room.join({ meta: [] }), 'invalid'],
      [() => room.setMeta('red' as unknown as object), 'invalid'],
      [() => client.room('chat:meta').setMeta([1]), 'invalid'],
      [() => client.room('chat:meta').setMeta({ text: 'x'.repeat(2_000) }), 'too_large'],
      [() => room.join({ meta: { text: 'x'.repeat(2_000) } }), 'too_large'],
      [() => client.command(long, {}), 'too_large'],
      [() => room.command(long, {}), 'too_large'],
      [() => client.room(`chat:${long}`).join(), 'too_large'],
      [() => client.room(`chat:${long}b`).command('chat.send', { text: 'a' }), 'too_large'],
      [() => client.room(`chat:${long}c`).state('chat').ready, 'too_large'],
      [() => client.room(`chat:${long}d`).members.refresh(), 'too_large'],
    ];
    for (const [at, [work, code]] of all.entries()) {
      let promise: Promise<unknown> | undefined;
      expect(() => (promise = work())).not.toThrow();
      expect([at, await codeOf(promise!)]).toEqual([at, code]);
    }
    errors.length = 0;
    client.room(`chat:${long}e`).on('x', () => undefined);
    expect(() => client.send('x', circular)).not.toThrow();
    expect(() => client.send(long, {})).not.toThrow();
    expect(() => client.send('x', 1n)).not.toThrow();
    await eventually(() =>
      expect(errors.toSorted()).toEqual(['invalid', 'invalid', 'too_large', 'too_large']),
    );
    await room.leave();
    const { code } = (await room.command('chat.send', { text: 'a' }).then(
      () => ({ code: 'ok' }),
      (error: unknown) => error,
    )) as WssError;
    expect(code).toBe('ok');
    expect([client.status.state, hellos]).toEqual(['open', 1]);
  });

  it('is measured by what the node takes that is there now', async () => {
    const { url, lines } = scripted(({ send }) => send(hello({ maxFrameBytes: 2_000 })));
    const client = open(url);
    const early = codeOf(client.command('early', { text: 'é'.repeat(1_500) }));
    await client.ping();
    const late = codeOf(client.command('late', { text: 'é'.repeat(1_500) }));
    expect([await early, await late]).toEqual(['too_large', 'too_large']);
    const fits = client.command('fits', { text: 'x'.repeat(1_900) });
    lines[0]!.send({ id: (await lines[0]!.next('fits')).id, data: 1 });
    expect(await fits).toBe(1);
    expect(lines).toHaveLength(1);
  });
});

describe('what comes', () => {
  it('from a plain gateway, and is no event, is told and closes nothing', async () => {
    const { url } = scripted(
      ({ socket }) => {
        for (const text of ['{"id":7,"data":1}', '{"data":1}', 'nonsense', 'null', '[]']) socket.send(text);
        socket.send(Buffer.from([1, 2, 3]));
        socket.send('{"event":"greeted","data":"hello"}');
      },
      { handleProtocols: undefined } as unknown as ConstructorParameters<typeof WebSocketServer>[0],
    );
    const client = open(url, { session: false });
    const errors: string[] = [];
    client.onError(({ code }) => errors.push(code));
    expect(await client.events('greeted').next()).toEqual({ done: false, value: 'hello' });
    expect(new Set(errors)).toEqual(new Set(['bad_server_frame']));
    expect(errors.length).toBeGreaterThanOrEqual(5);
    expect(client.status).toEqual({ state: 'open' });
  });
});

describe('a join', () => {
  it.each(['before there is a connection', 'on an open line'])(
    'asks for the newest events though somebody listened first, %s',
    async (when) => {
      const { url, lines } = scripted(greeting);
      const client = open(url);
      if (when === 'on an open line') await client.ping();
      const room = client.room('chat:a');
      room.on('x', () => undefined);
      room.members.subscribe(() => undefined);
      const joined = room.join({ last: 50 });
      await eventually(() => expect(lines).toHaveLength(1));
      const { id, data } = await lines[0]!.next('$join');
      expect(data).toMatchObject({ last: 50 });
      lines[0]!.send({ id, data: start(0) });
      await joined;
      await client.ping();
      expect(lines[0]!.frames.filter(({ event }) => event === '$join')).toEqual([]);
    },
  );

  it('that asks for documents in vain slows down', async () => {
    const { random } = Math;
    Math.random = () => 0.999;
    endings.push(() => (Math.random = random));
    const { url, lines } = obliging();
    const room = open(url).room('chat:a');
    await room.join();
    void codeOf(room.state('doc').ready);
    const at: number[] = [];
    while (at.length < 5) {
      await lines[0]!.next('$join');
      at.push(performance.now());
    }
    expect(at[4]! - at[3]!).toBeGreaterThan(300);
  });
});

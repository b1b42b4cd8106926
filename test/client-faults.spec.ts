import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RoomStatus, Status, WssClient, WssError } from '@wss/client';
import { eventually, freePort, GatewayCluster } from '@wss/testing';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import {
  codeOf,
  endAll,
  endings,
  type Frame,
  greeting,
  hello,
  isOpen,
  type Line,
  open,
  proxied,
  scripted,
  start,
  startNode,
} from './client/lines.js';

afterEach(endAll);

const watch = (client: WssClient): Status[] => {
  const seen: Status[] = [];
  client.onStatus((status) => seen.push(status));
  return seen;
};
describe('connecting', () => {
  it('asks a token callback again that never answers, and says why', async () => {
    const { url } = scripted(greeting);
    let asked = 0;
    const token = (): Promise<string> =>
      ++asked === 1 ? new Promise(() => undefined) : Promise.resolve('t');
    const client = open(url, { token, tokenWithinMs: 100 });
    const seen = watch(client);
    await isOpen(client);
    expect(seen[0]).toMatchObject({ state: 'waiting', error: { code: 'no_token', retry: true } });
    expect(asked).toBe(2);
  });

  it.each(['online', 'visibilitychange'])(
    'replaces a link that died, when the page says "%s"',
    async (type) => {
      const page = { window: new EventTarget(), document: new EventTarget() };
      const { addEventListener } = globalThis as { addEventListener?: unknown };
      Object.assign(globalThis, {
        document: page.document,
        addEventListener: page.window.addEventListener.bind(page.window),
      });
      endings.push(() => {
        Reflect.deleteProperty(globalThis, 'document');
        Object.assign(globalThis, { addEventListener });
      });
      const node = await startNode();
      const proxy = await proxied(node.port);
      const client = open(`ws://127.0.0.1:${proxy.port}/`);
      let hellos = 0;
      client.onHello(() => hellos++);
      await eventually(() => expect(hellos).toBe(1));
      // The network is another one: nothing of the old connection gets through.
      await proxy.setMode('mute');
      (type === 'online' ? page.window : page.document).dispatchEvent(new Event(type));
      await eventually(() => expect(client.status).toMatchObject({ state: 'connecting' }));
      await proxy.setMode('pass');
      await eventually(() => expect(hellos).toBe(2));
    },
  );

  it('waits silence out on a first contact', async () => {
    const { url } = scripted((line) => line.turn > 0 && greeting(line));
    const client = open(url, { greetWithinMs: 200 });
    const seen = watch(client);
    await eventually(() => expect(seen.filter(({ state }) => state === 'open')).toHaveLength(2));
    await client.ping();
    expect(seen).toContainEqual(
      expect.objectContaining({ state: 'waiting', error: expect.objectContaining({ code: 'unreachable' }) }),
    );
  });

  it.each([
    ['no session', { session: undefined }],
    ['no heartbeat', { heartbeatMs: 0 }],
  ])('ends with a greeting that has %s', async (_what, data) => {
    const { url } = scripted(({ send }) => send(hello(data)));
    const client = open(url);
    await eventually(() =>
      expect(client.status).toMatchObject({ state: 'closed', error: { code: 'bad_server_frame' } }),
    );
  });

  it.each([
    [400, 'bad_request', 'closed'],
    [401, 'unauthenticated', 'closed'],
    [403, 'forbidden', 'closed'],
    [404, 'bad_url', 'closed'],
    [429, 'rate_limited', 'waiting'],
    [431, 'too_large', 'closed'],
    [500, 'unreachable', 'waiting'],
    [503, 'unavailable', 'waiting'],
  ])('tells an HTTP refusal with %d as %s', async (status, code, state) => {
    const server = createServer();
    server.on('upgrade', (_request, socket) =>
      socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n`),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(() => server.close());
    const client = open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await eventually(() => expect(client.status).toMatchObject({ state, error: { code } }));
    const { status: now } = client;
    if (status === 429 || status === 503)
      expect((now as { inMs: number }).inMs).toBeGreaterThanOrEqual(3_000);
  });

  it.each([
    [4900, 'bad_request', 'closed'],
    [4901, 'unauthenticated', 'closed'],
    [4903, 'forbidden', 'closed'],
    [4904, 'bad_url', 'closed'],
    [4429, 'rate_limited', 'waiting'],
    [1013, 'unavailable', 'waiting'],
  ])('tells a refusal that a WebSocket brings with %d as %s', async (closeCode, code, state) => {
    const { url } = scripted(
      ({ send, socket }) => {
        send({ event: '$notice', data: { reconnectInMs: 3_000 } });
        socket.close(closeCode, 'the reason');
      },
      { handleProtocols: (offered) => (offered.has('wss.refusals') ? 'wss.refusals' : false) },
    );
    const client = open(url);
    await eventually(() =>
      expect(client.status).toMatchObject({ state, error: { code, message: 'the reason' } }),
    );
    if (state === 'waiting') expect((client.status as { inMs: number }).inMs).toBeGreaterThanOrEqual(3_000);
  });

  it('carries any token, and refuses one that is too long before anybody is asked', async () => {
    const { url, lines } = scripted(greeting);
    for (const token of ['a.b-c_d~', 'with space=', 'snow ☃,"{}']) {
      const client = open(url, { token });
      await client.ping();
      const { protocols } = lines.at(-1)!;
      const plain = protocols.find((name) => name.startsWith('wss.token.'))?.slice(10);
      const coded = protocols.find((name) => name.startsWith('wss.token64.'))?.slice(12);
      expect(plain ?? Buffer.from(coded!, 'base64url').toString()).toBe(token);
    }
    const before = lines.length;
    const client = open(url, { token: 'x'.repeat(15_361) });
    await eventually(() =>
      expect(client.status).toMatchObject({ state: 'closed', error: { code: 'bad_token' } }),
    );
    expect((client.status as { error: WssError }).error.message).toContain('15360');
    expect(lines).toHaveLength(before);
  });

  it('shows a fresh token once before a refusal is final', async () => {
    const server = createServer();
    const tokens: string[] = [];
    server.on('upgrade', ({ headers }, socket) => {
      tokens.push(/wss\.token\.(\d+)/.exec(headers['sec-websocket-protocol']!)![1]!);
      socket.end('HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(() => server.close());
    let made = 0;
    const client = open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      token: () => String(++made),
    });
    await eventually(() =>
      expect(client.status).toMatchObject({ state: 'closed', error: { code: 'unauthenticated' } }),
    );
    expect(tokens).toEqual(['1', '2']);
  });

  it('comes back at once with a hidden page, and slower with one that says it is offline', async () => {
    const { url, lines } = scripted((line) => {
      greeting(line);
      if (line.turn > 0) return;
      line.send({ event: '$notice', data: { reconnectInMs: 40 } });
      line.socket.close(1012);
    });
    const page = Object.assign(new EventTarget(), { hidden: true });
    Object.assign(globalThis, { document: page });
    endings.push(() => Reflect.deleteProperty(globalThis, 'document'));
    const client = open(url);
    const seen = watch(client);
    await eventually(() => expect(lines).toHaveLength(2));
    expect(seen.find(({ state }) => state === 'waiting')).toMatchObject({ inMs: 0, code: 1012 });
    const parked = open(`ws://127.0.0.1:${await freePort()}`, { whileHidden: 'wait' });
    await eventually(() => expect(parked.status.state).toBe('waiting'));
    expect((parked.status as { inMs?: number }).inMs).toBeUndefined();
    const states = watch(parked);
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
    await eventually(() => expect(states.some(({ state }) => state === 'connecting')).toBe(true));
  });

  it('R30: obeys the steady clock alone', async () => {
    const { url, lines } = scripted((line) => {
      greeting(line);
      if (line.turn > 0) return;
      line.send({ event: '$notice', data: { reconnectInMs: 300 } });
      line.socket.close(1012);
    });
    const { now } = Date;
    Object.assign(Date, { now: () => now() + 3_600_000 });
    endings.push(() => Object.assign(Date, { now }));
    const client = open(url);
    await eventually(() => expect(client.status).toMatchObject({ state: 'waiting', inMs: 300 }));
    Object.assign(Date, { now: () => now() - 3_600_000 });
    await eventually(() => expect(lines).toHaveLength(2));
  });
});

describe('a refusal by a node', () => {
  const secret = 'a secret of more than thirty-two characters';
  /** Offers these subprotocols like a browser, and returns what a browser can see. */
  const offer = (
    url: string,
    protocols: string[],
  ): Promise<{ protocol: string; frames: string[]; code: number; reason: string }> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocols, { origin: new URL(url.replace('ws', 'http')).origin });
      const frames: string[] = [];
      socket.on('message', (message) => frames.push(String(message)));
      socket.on('error', reject);
      socket.on('close', (code, reason) =>
        resolve({ protocol: socket.protocol, frames, code, reason: String(reason) }),
      );
    });

  it('is told by a close code where that is asked for, and no token is said back', async () => {
    const node = await startNode({ AUTH: 'jwt', JWT_SECRET: secret });
    const refused = await offer(node.url, ['wss.v1', 'wss.token.nonsense', 'wss.refusals']);
    expect(refused).toEqual({
      protocol: 'wss.refusals',
      frames: ['{"event":"$notice","data":{}}'],
      code: 4901,
      reason: 'the token was refused',
    });
    expect(await offer(`${node.url}nope`, ['wss.v1', 'wss.refusals'])).toMatchObject({ code: 4904 });
    expect(await offer(node.url, ['wss.v9', 'wss.refusals'])).toMatchObject({ code: 4900 });
    await expect(offer(node.url, ['wss.v1', 'wss.token.nonsense'])).rejects.toThrow('401');
    expect(node.output.join('\n')).not.toContain('nonsense');
  });

  it('names what is wrong with a name, in a browser too', async () => {
    const node = await startNode();
    const client = open(`${node.url}?user=${encodeURIComponent('x'.repeat(129))}`);
    await eventually(() =>
      expect(client.status).toMatchObject({
        state: 'closed',
        error: {
          code: 'bad_request',
          message: 'user must be 1 to 128 characters without control characters',
        },
      }),
    );
  });

  it('is none for a token of any characters that is right', async () => {
    const node = await startNode({ AUTH: 'jwt', JWT_SECRET: secret });
    const token = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1 minute')
      .sign(new TextEncoder().encode(secret));
    const coded = `wss.token64.${Buffer.from(token).toString('base64url')}`;
    const socket = new WebSocket(node.url, ['wss.v1', coded, 'wss.refusals']);
    endings.push(() => socket.terminate());
    const frame = await new Promise((resolve) =>
      socket.once('message', (message) => resolve(String(message))),
    );
    expect(JSON.parse(frame as string)).toMatchObject({ event: '$hello', data: { user: 'ann' } });
    expect(socket.protocol).toBe('wss.v1');
  });
});

describe('commands', () => {
  it('tell whether they were sent when their time is over', async () => {
    const { url } = scripted((line) => {
      greeting(line);
      line.socket.on('message', (message) => {
        const { event, id } = JSON.parse(String(message)) as Frame;
        if (event === '$join') line.send({ id, data: start(0) });
      });
    });
    const client = open(url);
    await client.ping();
    const [sent, options] = [client.room('chat:a'), { timeoutMs: 100 }];
    await sent.join();
    expect(await codeOf(sent.command('chat.send', {}, options))).toBe('timeout');
    expect(await codeOf(client.command('echo.say', {}, options))).toBe('timeout');
    const nobody = open(`ws://127.0.0.1:${await freePort()}`);
    expect(await codeOf(nobody.room('chat:a').command('chat.send', {}, options))).toBe('not_sent');
    expect(await codeOf(nobody.command('echo.say', {}, options))).toBe('not_sent');
    expect(await codeOf(nobody.room('chat:a').join(options))).toBe('not_sent');
  });

  it('are sent again when the server says', async () => {
    const { url, lines } = scripted(greeting);
    const client = open(url);
    const room = client.room('chat:a');
    const answer = room.command('chat.send', {});
    await eventually(() => expect(lines).toHaveLength(1));
    const [line] = lines as [Line];
    line.send({ id: (await line.next('$join')).id, data: start(0) });
    const error = { code: 'rate_limited', message: '', retry: true, details: [{ retryInMs: 400 }] };
    line.send({ id: (await line.next('chat.send')).id, error });
    const before = performance.now();
    const again = await line.next('chat.send');
    expect(performance.now() - before).toBeGreaterThan(300);
    expect(again.n).toBe(1);
    line.send({ id: again.id, data: {}, seq: 1, epoch: '1.a' });
    await answer;
  });

  it('wait as long as the server says, whatever is given or answered meanwhile', async () => {
    const { url, lines } = scripted((line) => {
      greeting(line);
      line.socket.on('message', (message) => {
        const { event, id, n } = JSON.parse(String(message)) as Frame;
        if (event === '$join') line.send({ id, data: start(0) });
        const error = { code: 'unavailable', message: '', retry: true, details: [{ retryInMs: 60_000 }] };
        if (n) line.send({ id, error });
      });
    });
    const client = open(url);
    const room = client.room('chat:a');
    await room.join();
    for (let i = 0; i < 5; i++) {
      void codeOf(room.command('chat.send', {}));
      await client.ping();
      await client.ping();
    }
    expect(lines[0]!.frames.filter(({ n }) => n)).toHaveLength(1);
  });

  it('that were to be sent again and are refused are told once more', async () => {
    const { url, lines } = scripted(greeting);
    const client = open(url);
    const told: unknown[] = [];
    client.onRollback(({ commands, resubmitted }) =>
      told.push([commands.map(({ event }) => event), resubmitted]),
    );
    const sent = client.room('chat:a').command('pay', {});
    await eventually(() => expect(lines).toHaveLength(1));
    const [{ send, next }] = lines as [Line];
    send({ id: (await next('$join')).id, data: start(0) });
    send({ id: (await next('pay')).id, data: 1, seq: 1, epoch: '1.a' });
    await sent;
    send({ event: '$epoch', room: 'chat:a', data: { epoch: '2.b', seq: 0, n: 0 } });
    const error = { code: 'forbidden', message: '', retry: false };
    send({ id: (await next('pay')).id, error });
    await eventually(() =>
      expect(told).toEqual([
        [['pay'], true],
        [['pay'], false],
      ]),
    );
  });

  it('of a room that was left end, and do nothing later', async () => {
    const { url, lines } = scripted(greeting);
    const client = open(url);
    const room = client.room('chat:a');
    const joined = room.join();
    await eventually(() => expect(lines).toHaveLength(1));
    const [line] = lines as [Line];
    line.send({ id: (await line.next('$join')).id, data: start(0) });
    await joined;
    const sent = room.command('chat.send', { text: 'sent' });
    await line.next('chat.send');
    const lost = new Promise<void>((resolve) => {
      client.onStatus(({ state }) => state === 'waiting' && resolve());
    });
    line.socket.terminate();
    await lost;
    const queued = room.command('chat.send', { text: 'queued' });
    await room.leave();
    expect(await codeOf(queued)).toBe('closed');
    expect(await codeOf(sent)).toBe('disconnected');
    // The client repeats the leave that it still wants.
    await eventually(() => expect(lines.length).toBeGreaterThan(1));
    const later = lines.at(-1)!;
    later.send({ id: (await later.next('$leave')).id, data: {} });
    await client.ping();
    expect(later.frames.filter(({ event }) => event === 'chat.send')).toEqual([]);
  });
});

describe('a room', () => {
  it('is left again where the session still has it, though nobody knows it here', async () => {
    const { url, lines } = scripted(({ send, turn }) =>
      send(hello({ resumed: turn > 0, rooms: ['chat:a'] })),
    );
    const client = open(url);
    await client.ping();
    expect(await lines[0]!.next('$leave')).toMatchObject({ room: 'chat:a' });
  });

  it('R25: asks again for state and members until the engine answers', async () => {
    const cluster = await GatewayCluster.start({ nodes: 1 });
    endings.push(() => cluster.stop());
    const client = open(`${cluster.nodes[0]!.url}?user=ann`);
    const errors: unknown[] = [];
    client.onError((error) => errors.push(error));
    await client.ping();
    const key = randomUUID();
    await cluster.redis.pause();
    const room = client.room(`chat:${key}`);
    const lists: unknown[] = [];
    room.members.subscribe((members) => lists.push(members.map(({ user }) => user)));
    const copy = client.room(`counter:${key}`).state('counter');
    const refused: RoomStatus[] = [];
    room.onStatus((status) => refused.push(status));
    await eventually(
      () =>
        expect(refused).toContainEqual(
          expect.objectContaining({ state: 'joining', error: expect.anything() }),
        ),
      { withinMs: 10_000 },
    );
    cluster.redis.resume();
    expect(await copy.ready).toEqual({ value: 0 });
    await eventually(() => expect(lists.at(-1)).toEqual(['ann']), { withinMs: 15_000 });
    expect(errors).toEqual([]);
  });

  it('tells the failure of what nobody waits for, and of what somebody does', async () => {
    const node = await startNode();
    const client = open(node.url);
    const errors: string[] = [];
    client.onError(({ code }) => errors.push(code));
    const copy = client.room('nope:1').state('nope');
    expect(await codeOf(copy.ready)).toBe('not_found');
    expect(errors).toEqual(['not_found']);
    expect(client.room('nope:1').status).toMatchObject({ state: 'left', error: { code: 'not_found' } });
    expect(await codeOf(client.room('counter:1').members.refresh())).toBe('not_found');
    expect(await codeOf(client.room('chat:1').state('nope').ready)).toBe('not_found');
    expect(client.rooms.map(({ name, status }) => [name, status.state])).toEqual([
      ['counter:1', 'live'],
      ['chat:1', 'live'],
    ]);
    const other = open(`ws://127.0.0.1:${await freePort()}`);
    const ready = codeOf(other.room('chat:1').state('chat').ready);
    const events = other.room('chat:1').events();
    const next = events.next();
    other.close();
    expect(await ready).toBe('closed');
    expect(await next).toMatchObject({ done: true });
    expect(await codeOf(other.room('chat:2').join())).toBe('closed');
    expect(await codeOf(other.room('chat:2').state('chat').ready)).toBe('closed');
    expect(await codeOf(other.ping())).toBe('closed');
    expect(await other.room('chat:3').events().next()).toMatchObject({ done: true });
  });

  it('R25: joins again where an event is missing, and starts anew where that does not help', async () => {
    const { url, lines } = scripted(greeting);
    const client = open(url);
    const room = client.room('chat:a');
    const [heard, resets, states]: [unknown[], unknown[], string[]] = [[], [], []];
    room.on('x', ({ seq }) => heard.push(seq));
    room.onReset(({ reason, position }) => resets.push([reason, position.seq]));
    room.onStatus(({ state }) => states.push(state));
    await eventually(() => expect(lines).toHaveLength(1));
    const [{ send, next, frames }] = lines as [Line];
    const event = (seq: number): void => send({ event: 'x', room: 'chat:a', seq, data: {} });
    send({ id: (await next('$join')).id, data: start(5) });
    for (const seq of [6, 8, 9, 7]) event(seq);
    const gap = await next('$join');
    expect(gap.data).toMatchObject({ epoch: '1.a', seq: 6 });
    expect(heard).toEqual([6]);
    send({ id: gap.id, data: start(9, { missed: 3 }) });
    for (const seq of [7, 8, 9]) event(seq);
    await eventually(() => expect(heard).toEqual([6, 7, 8, 9]));
    expect(room.status).toEqual({ state: 'live' });
    event(11);
    for (const seq of [9, 9]) {
      const again = await next('$join');
      expect(again.data).toMatchObject({ seq });
      send({ id: again.id, data: start(11, { missed: 2 }) });
      event(11);
    }
    const anew = await next('$join');
    expect(anew.data).not.toHaveProperty('seq');
    send({ id: anew.id, data: start(12) });
    event(13);
    await eventually(() => expect(heard).toEqual([6, 7, 8, 9, 13]));
    expect(resets).toEqual([['gap', 12]]);
    expect(states).toContain('reset');
    expect(frames).toEqual([]);
  });

  it('goes on with its numbers where an earlier visit, forgotten here, had got to', async () => {
    const node = await startNode();
    const client = open(`${node.url}?user=ann`);
    const name = `counter:${randomUUID()}` as const;
    await client.room(name).command('counter.add', { by: 1 });
    await client.room(name).leave();
    // As if it had been collected.
    (client as unknown as { known: Map<string, unknown> }).known.delete(name);
    expect(await client.room(name).command('counter.add', { by: 1 })).toEqual({ value: 2 });
  });

  it('tells what others see of the user', async () => {
    const node = await startNode();
    const client = open(`${node.url}?user=ann`);
    const room = client.room(`chat:${randomUUID()}`);
    await room.join({ meta: { color: 'red' } });
    await room.members.refresh();
    expect(room.members.list).toEqual([{ user: 'ann', meta: { color: 'red' } }]);
    expect(await codeOf(room.setMeta({ text: 'x'.repeat(2_000) }))).toBe('too_large');
    const told: unknown[] = [];
    room.members.subscribe(([first]) => told.push(first?.meta));
    await room.setMeta({ color: 'blue' });
    expect(room.status).toEqual({ state: 'live' });
    await eventually(() => expect(told.at(-1)).toEqual({ color: 'blue' }));
  });

  it('tells a meta that was set while a join was under way', async () => {
    const { url, lines } = scripted(greeting);
    const room = open(url).room('chat:a');
    const joined = room.join();
    await eventually(() => expect(lines).toHaveLength(1));
    const [{ send, next }] = lines as [Line];
    const first = await next('$join');
    let isSet = false;
    const set = room.setMeta({ color: 'red' }).then(() => (isSet = true));
    send({ id: first.id, data: start(0) });
    await joined;
    expect(isSet).toBe(false);
    const second = await next('$join');
    expect(second.data['meta']).toEqual({ color: 'red' });
    send({ id: second.id, data: start(0) });
    await set;
    expect(room.status).toEqual({ state: 'live' });
  });

  it('tells that it was left, where a join that was under way is refused after the next', async () => {
    const { url, lines } = scripted(greeting);
    const room = open(url).room('chat:a');
    const first = codeOf(room.join());
    await eventually(() => expect(lines).toHaveLength(1));
    const { id } = await lines[0]!.next('$join');
    const left = room.leave();
    const second = codeOf(room.join());
    lines[0]!.send({ id, error: { code: 'forbidden', message: '', retry: false } });
    expect(await Promise.all([first, second, left])).toEqual(['closed', 'forbidden', undefined]);
  });

  it('may be joined, left and joined again in one breath', async () => {
    const node = await startNode();
    const client = open(`${node.url}?user=ann`);
    const room = client.room(`chat:${randomUUID()}`);
    const first = codeOf(room.join());
    const left = room.leave();
    const second = room.join();
    await Promise.all([left, second]);
    expect(await first).toBe('closed');
    expect(room.status).toEqual({ state: 'live' });
    await room.command('chat.send', { text: 'here' });
  });
});

it('shows a debugger every frame and status, and no token', async () => {
  const { url } = scripted(({ send }) => send(hello({ token: 'secret' })));
  const seen: [string, unknown][] = [];
  const client = open(url, { debug: (kind, what) => seen.push([kind, what]) });
  expect(await client.ping()).toBeGreaterThan(0);
  const kinds = new Set(seen.map(([kind]) => kind));
  expect([...kinds].toSorted()).toEqual(['decided', 'received', 'sent']);
  expect(JSON.stringify(seen)).not.toContain('secret');
});

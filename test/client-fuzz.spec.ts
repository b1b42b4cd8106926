import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type Rollback, type Room, type SocketConstructor, WssClient, type WssError } from '@wss/client';
import { newSeed, Random } from '@wss/testing';
import { CarelessUser, FAULT } from './client/careless-user.js';
import { type ClientEnd, type Faults, ScriptedServer } from './client/scripted-server.js';
import { VirtualClock } from './client/virtual-clock.js';

const SEQUENCES = Number(process.env['CLIENT_FUZZ'] ?? 200);
const ROOMS = ['list:a', 'list:b'] as const;

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
  clock.install();
});
const { random: realRandom } = Math;
afterEach(() => {
  clock.uninstall();
  Math.random = realRandom;
});

/** A user of the client: its calls, and everything it sees. */
class User {
  readonly seen: string[] = [];
  readonly outcomes = new Map<string, string>();
  readonly lost = new Set<string>();
  open = 0;
  private readonly at = new Map<string, number>();
  /** Commands that were lost, and are sent again unless the room is left. */
  private readonly again = new Map<string, string[]>();

  constructor(
    readonly client: WssClient,
    private readonly random: Random,
  ) {
    client.onRollback((rollback) => this.onRollback(rollback));
    let hellos = 0;
    client.onHello(({ resumed }) => {
      // A later loss of work of an earlier session is not reported any more.
      if (hellos++ > 0 && !resumed) this.forgive([...this.outcomes.keys()]);
    });
    for (const name of ROOMS) this.listen(name);
  }

  /** One thing that a user may do at any time. */
  act(): void {
    const name = this.random.pick(ROOMS);
    const room: Room = this.client.room(name);
    const what = this.random.below(12);
    if (what < 7) this.command(name);
    else if (what === 7) this.track('leave', room.leave());
    else if (what === 8) this.track('join', room.join({ timeoutMs: 5_000 }));
    else if (what === 9) this.track('refresh', room.members.refresh());
    else if (what === 10) this.track('ready', room.state('doc').ready);
    else this.track('ping', this.client.ping({ timeoutMs: 5_000 }));
  }

  private command(name: (typeof ROOMS)[number]): void {
    const command = `${name}#${this.outcomes.size}`;
    this.outcomes.set(command, 'open');
    const options = this.random.next() < 0.5 ? { timeoutMs: 20 + this.random.below(100) } : {};
    const sent: Promise<unknown> = this.client.room(name).command('add', { command }, options);
    this.track('command', sent, (outcome) => this.outcomes.set(command, outcome));
  }

  private track(what: string, work: Promise<unknown>, note?: (outcome: string) => void): void {
    this.open++;
    const settled = (outcome: string): void => {
      this.open--;
      this.seen.push(`${what} ${outcome}`);
      note?.(outcome);
    };
    work.then(
      () => settled('ok'),
      (error: WssError) => settled(error.code ?? String(error)),
    );
  }

  /** Every event is the next one, or a reset tells from where it goes on. */
  private listen(name: (typeof ROOMS)[number]): void {
    const room: Room = this.client.room(name);
    room.onReset(({ position }) => this.at.set(name, position.seq));
    room.onStatus(({ state }) => {
      if (state !== 'left') return;
      this.at.delete(name);
      this.forgive(this.again.get(name) ?? []);
    });
    room.on('done', ({ seq }) => {
      const at = this.at.get(name);
      if (at !== undefined && seq !== at + 1) throw new Error(`${name}: ${seq} after ${at}`);
      this.at.set(name, seq!);
    });
  }

  private onRollback({ room, commands, forgotten }: Rollback): void {
    const names = commands.map(({ data }) => (data as { command: string }).command);
    this.again.set(room, [...(this.again.get(room) ?? []), ...names]);
    if (forgotten.length > 0) this.forgive([...this.outcomes.keys()].filter((name) => name.startsWith(room)));
  }

  private forgive(commands: readonly string[]): void {
    for (const command of commands) this.lost.add(command);
  }
}

/** After these a command has surely not been done. */
const NEVER = ['not_sent', 'queue_full', 'forbidden', 'unavailable', 'not_found'];

function check(server: ScriptedServer, user: User): void {
  const done = [...server.rooms.values()].flatMap(({ log }) => log.map(({ command }) => command));
  expect(done.length).toBe(new Set(done).size);
  for (const [command, outcome] of user.outcomes) {
    if (outcome === 'ok' && !user.lost.has(command)) expect(done).toContain(command);
    if (NEVER.includes(outcome)) expect(done).not.toContain(command);
    expect(['open', 'number_reused']).not.toContain(outcome);
  }
  expect(user.open).toBe(0);
}

/** The options with which a client connects. */
function socketsOf(server: ScriptedServer): SocketConstructor {
  return class Socket implements ClientEnd {
    protocol = '';
    onopen!: () => void;
    onmessage!: (message: { data: string }) => void;
    onclose!: (event: { code: number; reason: string }) => void;
    onerror: unknown;
    constructor(
      _url: string,
      readonly offered: readonly string[] = [],
    ) {
      server.connect(this);
    }
    send(text: string): void {
      server.receive(this, text);
    }
    close(): void {
      server.disconnect(this);
    }
  };
}

async function run(seed: number): Promise<void> {
  const random = new Random(seed);
  const jitter = random.fork();
  // The client's own random numbers are repeated too.
  Math.random = () => jitter.next();
  const faults: Faults = { calm: false };
  const server = new ScriptedServer(clock, random.fork(), faults);
  const client = new WssClient('ws://scripted/', {
    WebSocket: socketsOf(server),
    backoff: { firstMs: 50, mostMs: 500 },
  });
  const user = new User(client, random.fork());
  for (let step = 0; step < 40; step++) {
    user.act();
    if (random.next() < 0.1) server.cut();
    if (random.next() < 0.03) server.rollBack(random.pick(ROOMS));
    if (random.next() < 0.06) server.outage(random.below(800));
    await clock.pass(random.below(10) === 0 ? random.below(4_000) : random.below(60));
  }
  faults.calm = true;
  await clock.pass(120_000);
  expect(server.members).toEqual(client.rooms.map(({ name }) => name).toSorted());
  for (const name of ROOMS) {
    const last = client.room(name).command('add', { command: `${name} last` });
    await clock.pass(1_000);
    await last;
    expect(client.room(name).status).toEqual({ state: 'live' });
    const { value } = client.room(name).state('doc');
    await clock.pass(1_000);
    expect(client.room(name).state('doc').value ?? value).toEqual(
      server.room(name).log.map(({ command }) => command),
    );
  }
  check(server, user);
  client.close();
  await clock.pass(100);
}

it(`settles everything, tells every event once and in order, and does every command once (${SEQUENCES} sequences)`, async () => {
  const first = newSeed();
  const thrown: unknown[] = [];
  const onThrown = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', onThrown);
  for (let i = 0; i < SEQUENCES; i++) {
    try {
      await run(first + i);
      expect(thrown).toEqual([]);
    } catch (error) {
      throw new Error(`CHAOS_SEED=${first + i}: ${(error as Error).message}`, { cause: error });
    }
  }
  process.off('uncaughtException', onThrown);
}, 600_000);

/** Calls everything at any time, closes at some time, and calls on. */
async function beCareless(seed: number): Promise<void> {
  const random = new Random(seed);
  const jitter = random.fork();
  Math.random = () => jitter.next();
  const server = new ScriptedServer(clock, random.fork(), { calm: false });
  const user = new CarelessUser(random.fork());
  const client = new WssClient('ws://scripted/', {
    WebSocket: socketsOf(server),
    backoff: { firstMs: 50, mostMs: 500 },
    token: user.token,
    tokenWithinMs: 2_000,
    debug: random.below(2) === 0 ? user.callback : undefined,
  });
  user.begin(client);
  const steps = random.below(60);
  for (let step = 0; step < steps; step++) {
    user.act();
    if (random.next() < 0.1) server.cut();
    if (random.next() < 0.01) server.cut(4500);
    if (random.next() < 0.03) server.rollBack(random.pick(ROOMS));
    if (random.next() < 0.06) server.outage(random.below(800));
    if (random.next() < 0.7)
      await clock.pass(random.below(10) === 0 ? random.below(4_000) : random.below(60));
  }
  client.close();
  for (let step = 0; step < 10; step++) user.act();
  await clock.pass(0);
  for (let step = 0; step < 10; step++) user.act();
  await clock.pass(0);
  expect(Object.fromEntries(user.open)).toEqual({});
  expect(client.status.state).toBe('closed');
  if (client.status.state === 'closed' && client.status.error)
    expect(client.status.error.code).toBe('refused');
  expect([client.rooms, clock.timers, user.listeners]).toEqual([[], 0, 0]);
  expect([...user.codes].filter((code) => !OUTCOMES.has(code))).toEqual([]);
}

/** All that may come of calls that were right or were not. */
const OUTCOMES = new Set([
  ...['closed', 'disconnected', 'timeout', 'not_sent', 'aborted', 'invalid', 'too_large', 'refused'],
  ...[
    'session_expired',
    'not_found',
    'no_token',
    'number_reused',
    'forbidden',
    'unavailable',
    'out_of_order',
  ],
]);

it(`ends everything at once when it is closed, whatever callbacks do (${SEQUENCES} sequences)`, async () => {
  const first = newSeed();
  const { queueMicrotask: real } = globalThis;
  // Errors of the application are its own affair; every other error fails the test.
  globalThis.queueMicrotask = (work) =>
    real(() => {
      try {
        work();
      } catch (error) {
        if (error !== FAULT) throw error;
      }
    });
  try {
    for (let i = 0; i < SEQUENCES; i++) {
      await beCareless(first + i).catch((error: unknown) => {
        throw new Error(`CHAOS_SEED=${first + i}: ${(error as Error).message}`, { cause: error });
      });
    }
  } finally {
    globalThis.queueMicrotask = real;
  }
}, 600_000);

it('comes into a room over a link that takes longer than the patience with an answer', async () => {
  const asked: unknown[] = [];
  class SlowSocket {
    protocol = 'wss.v1';
    onopen!: () => void;
    onmessage!: (message: { data: string }) => void;
    onclose: unknown;
    onerror: unknown;
    constructor() {
      clock.after(1, () => {
        this.onopen();
        const data = { session: 's', token: 't', resumed: false, client: 'c', user: 'u', rooms: [] };
        this.answer({ event: '$hello', data: { ...data, heartbeatMs: 25_000, maxFrameBytes: 65_536 } }, 1);
      });
    }
    private answer(frame: object, inMs: number): void {
      clock.after(inMs, () => this.onmessage({ data: JSON.stringify(frame) }));
    }
    send(text: string): void {
      const { event, id } = JSON.parse(text) as { event: string; id: number };
      if (event !== '$join') return this.answer({ id, data: {} }, 5);
      asked.push(id);
      this.answer({ id, data: { epoch: '1', seq: 0, recovered: true, missed: 0 } }, 70_000);
    }
    close(): void {}
  }
  const client = new WssClient('ws://scripted/', { WebSocket: SlowSocket });
  const room: Room = client.room('list:a');
  const joined = room.join({ timeoutMs: Infinity });
  await clock.pass(80_000);
  expect(room.status).toEqual({ state: 'live' });
  await joined;
  // It was asked again, under the same number.
  expect(new Set(asked).size).toBe(1);
  expect(asked.length).toBeGreaterThan(1);
  client.close();
});

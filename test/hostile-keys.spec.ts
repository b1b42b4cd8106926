import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { applyPatch, type PatchOperation } from '@wss/client';
import { Command, CurrentCommand, Reply, RoomDocument, RoomType } from '@wss/core';
import { InjectState, StateModule, StateRepository } from '@wss/state';
import { FeatureCluster, newSeed, Random, type ServerFrame, type TestClient } from '@wss/testing';
import { IsArray, IsInt, IsNotEmptyObject, IsObject, IsOptional, IsString, Length } from 'class-validator';

class Vote {
  @IsString() @Length(1, 40) option!: string;
}
class Voted {
  @IsString() user!: string;
  @IsString() option!: string;
}
class Count {
  @IsInt() votes!: number;
}
class Put {
  @IsArray() @IsString({ each: true }) path!: string[];
  @IsOptional() value?: unknown;
}
class Done {
  @IsString() after!: string;
}

type Bag = Record<string, unknown>;

@RoomDocument('poll')
class Poll {
  @IsObject() votes: Record<string, string> = {};
  @IsNotEmptyObject() counts: Record<string, number> = { none: 0 };
  bag: Bag = {};
}

@Injectable()
@RoomType('poll', { presence: true, events: { 'poll.voted': Voted, 'poll.done': Done } })
class PollHandlers {
  constructor(@InjectState(Poll) private readonly polls: StateRepository<Poll>) {}

  @SubscribeMessage('poll.vote')
  @Reply(Count)
  vote(@MessageBody() { option }: Vote, @CurrentCommand() command: Command): Promise<Count> {
    return this.polls.update(command, (poll, room) => {
      poll.votes[command.user] = option;
      poll.counts[option] = (poll.counts[option] ?? 0) + 1;
      room.append(Voted, { user: command.user, option });
      return { votes: Object.keys(poll.votes).length };
    });
  }

  @SubscribeMessage('poll.put')
  @Reply(null)
  async put(@MessageBody() { path, value }: Put, @CurrentCommand() command: Command): Promise<void> {
    await this.polls.update(command, (poll, room) => {
      let at = poll.bag;
      for (const key of path.slice(0, -1)) at = inside(at, key);
      if (value === undefined) delete at[path.at(-1)!];
      else at[path.at(-1)!] = value;
      room.append(Done, { after: JSON.stringify(poll) });
    });
  }

  @SubscribeMessage('poll.read')
  async read(@CurrentCommand() command: Command): Promise<object> {
    return (await this.polls.read(command)).value;
  }
}

function inside(at: Bag, key: string): Bag {
  if (typeof at[key] !== 'object' || at[key] === null || Array.isArray(at[key]))
    at[key] = Object.create(null);
  return at[key] as Bag;
}

@Module({ imports: [StateModule.forFeature([Poll])], providers: [PollHandlers] })
class PollModule {}

const room = 'poll:1';
const INHERITED = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'isPrototypeOf', 'toLocaleString'];
const KEYS = [
  ...INHERITED,
  'length',
  'then',
  'toJSON',
  'prototype',
  '__defineGetter__',
  '0',
  '-',
  '~0/',
  '',
  'a',
];

describe.each(['memory', 'redis'] as const)('documents with maps on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  const start = async (): Promise<void> => {
    cluster = await FeatureCluster.start({ features: [PollModule], engine });
  };
  const vote = (client: TestClient, option: string): Promise<ServerFrame> =>
    client.request('poll.vote', { option }, { room });

  it('take any user and any key on every node, and after a restart', async () => {
    await start();
    const names = [...INHERITED, 'length', 'then', 'toJSON'];
    const expected: Record<string, string> = {};
    for (const [index, user] of names.entries()) {
      const client = await cluster.connect(user, { room, node: index % 2 });
      expected[user] = names.at(-1 - index)!;
      expect(await vote(client, expected[user])).toMatchObject({ data: { votes: index + 1 } });
    }
    await cluster.addNode();
    await cluster.stopNode(0);
    const late = await cluster.connect('late', { room, node: 2 });
    expect(await vote(late, 'constructor')).toMatchObject({ data: { votes: names.length + 1 } });
    expected.late = 'constructor';
    const counts = Object.fromEntries(names.map((name) => [name, name === 'constructor' ? 2 : 1]));
    const poll = await late.command('poll.read', {}, { room });
    expect(poll).toEqual({ votes: expected, counts: { none: 0, ...counts }, bag: {} });
  });

  it('refuse the key __proto__ as invalid, and nothing else after it', async () => {
    await start();
    const proto = await cluster.connect('__proto__', { room });
    const bob = await cluster.connect('bob', { room, node: 1 });
    const error = { code: 'invalid', details: [{ path: 'votes.__proto__' }] };
    expect(await vote(proto, 'a')).toMatchObject({ error });
    const put = (path: string[]): Promise<ServerFrame> =>
      bob.request('poll.put', { path, value: {} }, { room });
    expect(await put(['__proto__', 'polluted'])).toMatchObject({
      error: { code: 'invalid', details: [{ path: 'bag.__proto__' }] },
    });
    expect(await put(['a', '__proto__'])).toMatchObject({
      error: { code: 'invalid', details: [{ path: 'bag.a.__proto__' }] },
    });
    expect(await vote(bob, 'a')).toMatchObject({ data: { votes: 1 } });
  });

  it('equal the fold of the log at every version, whatever the keys are', async () => {
    await start();
    const seed = newSeed();
    const random = new Random(seed);
    const watcher = await cluster.connect('watcher');
    const { documents } = await watcher.join<{ documents: { poll: { value: unknown } } }>(room, {
      state: true,
    });
    const writers = [await cluster.connect('ann', { room }), await cluster.connect('bob', { room, node: 1 })];
    const writes = process.env.CHAOS === 'long' ? 5_000 : 100;
    for (let i = 0; i < writes; i++) {
      const path = Array.from({ length: 1 + random.below(4) }, () => random.pick(KEYS));
      const value = random.below(4) > 0 ? anything(random) : undefined;
      await Promise.all(writers.map((writer) => writer.command('poll.put', { path, value }, { room })));
      if (i % 50 === 49) writers[random.below(2)] = await restarted(seed + i);
    }
    let copy = documents.poll.value;
    for (let i = 0; i < writes * 2; i++) {
      const { data, patch } = (await watcher.event('poll.done')) as Logged;
      if (patch) copy = applyPatch(copy, patch.poll.ops);
      expect([seed, i, JSON.parse(JSON.stringify(copy))]).toEqual([seed, i, JSON.parse(data!.after)]);
    }
    expect(await writers[0]!.command('poll.read', {}, { room })).toEqual(JSON.parse(JSON.stringify(copy)));
  });

  /** A client of a node that has read nothing yet. */
  async function restarted(name: number): Promise<TestClient> {
    await cluster.addNode();
    return cluster.connect(`late${name}`, { room, node: cluster.nodes.length - 1 });
  }
});

describe('whatever a client sends', () => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  it('is answered, never with internal, and leaves no error in the log', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    cluster = await FeatureCluster.start({ features: [PollModule], nodes: 1 });
    const seed = newSeed();
    const random = new Random(seed);
    const ann = await cluster.connect('constructor', { room });
    const events = [
      '$join',
      '$leave',
      '$presence',
      '$auth',
      '$ping',
      '$skip',
      'poll.vote',
      'poll.put',
      'toString',
    ];
    const known = [
      'meta',
      'epoch',
      'seq',
      'last',
      'state',
      'after',
      'limit',
      'token',
      'option',
      'path',
      'value',
    ];
    const rooms = [room, 'poll:constructor', 'constructor:1', 'poll:2', '__proto__', undefined];
    for (let i = 0; i < (process.env.CHAOS === 'long' ? 20_000 : 500); i++) {
      const entries = Array.from({ length: random.below(4) }, (): [string, unknown] => [
        random.pick([...known, ...KEYS]),
        anything(random),
      ]);
      const data = random.below(10) > 0 ? Object.fromEntries(entries) : anything(random);
      const event = random.pick(events);
      const to = random.pick(rooms);
      const reply = await ann.request(event, data, to === undefined ? {} : { room: to });
      expect([seed, event, data, reply.error?.code]).not.toEqual([seed, event, data, 'internal']);
      if (event === '$leave') await ann.join(room);
    }
    expect(error.mock.calls).toEqual([]);
    error.mockRestore();
    expect(await ann.command('poll.vote', { option: 'a', x: { constructor: 1 } }, { room })).toBeDefined();
  });
});

describe('a patch that names __proto__', () => {
  it('is not applied', () => {
    const value = { polluted: true };
    for (const path of ['/__proto__', '/a/__proto__', '/__proto__/polluted', '/a/__proto__/polluted']) {
      for (const op of ['add', 'replace', 'remove']) {
        expect(() => applyPatch({ a: {} }, [{ op, path, value }])).toThrow();
      }
      expect(() => applyPatch({ a: {}, b: 1 }, [{ op: 'move', from: '/b', path }])).toThrow();
      expect(() => applyPatch({ a: {}, b: 1 }, [{ op: 'move', from: path, path: '/b' }])).toThrow();
    }
  });
});

type Logged = ServerFrame<{ after: string }> & { patch?: { poll: { ops: PatchOperation[] } } };

function anything(random: Random): unknown {
  const entries = (): [string, unknown][] => [
    [random.pick(KEYS), 1],
    [random.pick(KEYS), random.pick(KEYS)],
  ];
  const make = [
    () => random.pick(KEYS),
    () => random.below(3),
    () => [random.pick(KEYS), Object.fromEntries(entries())],
    () => Object.fromEntries([...entries(), [random.pick(KEYS), Object.fromEntries(entries())]]),
  ];
  return random.pick(make)();
}

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { Rooms } from '@wss/cluster';
import { type Client, type Command, CurrentCommand, RoomType } from '@wss/core';
import {
  clusterOnServers,
  eventually,
  type FeatureCluster,
  RedisServer,
  type TestClient,
} from '@wss/testing';

/** The guard answers when this has resolved. */
let asked: Promise<void> = Promise.resolve();
let questions = 0;

@Injectable()
class NoStrangers implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    questions++;
    await asked;
    return context.switchToWs().getClient<Client>().user !== 'stranger';
  }
}

@Injectable()
@RoomType('club', { join: NoStrangers })
class ClubHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('club.say')
  say(@CurrentCommand() command: Command): Promise<{ seq: number }> {
    return this.rooms.to(command.room!).append(command, 'club.said', {});
  }
}

@Module({ providers: [NoStrangers, ClubHandlers] })
class ClubModule {}

let redis: RedisServer;
let cluster: FeatureCluster;
let room: string;
let member: TestClient;
beforeAll(async () => {
  redis = await RedisServer.start();
  cluster = await clusterOnServers(redis, { features: [ClubModule], nodes: 2 });
});
afterAll(() => cluster?.stop());
beforeEach(async () => {
  asked = Promise.resolve();
  room = `club:${randomUUID()}`;
  member = await cluster.connect('ann', { node: 0, room });
});

const say = (): Promise<{ seq: number }> => member.command('club.say', {}, { room });
const subscribers = async (): Promise<number> => {
  const [, count] = (await redis.cli('PUBSUB', 'NUMSUB', `wss:{${room}}`)) as [string, number];
  return Number(count);
};

/** Makes the guard wait; returns what lets it go on. */
function hold(): () => void {
  let release = (): void => undefined;
  asked = new Promise((resolve) => (release = resolve));
  return release;
}

describe('a join', () => {
  it.each([
    ['a kind of room that nobody declares', 'pub:1', 'not_found'],
    ['a name that is none', 'club', 'invalid'],
    ['a name with a bad key', 'club:a b', 'invalid'],
  ])('of %s is refused, and the client goes on', async (_what, name, code) => {
    expect((await member.request('$join', {}, { room: name })).error).toMatchObject({ code, retry: false });
    expect(await say()).toEqual({ seq: 1 });
  });

  it('of a room that its guard forbids brings nothing of the room, at any position', async () => {
    const stranger = await cluster.connect('stranger', { node: 1 });
    const { epoch } = await member.join<{ epoch: string }>(room);
    await say();
    for (const data of [{}, { epoch, seq: 0 }, { last: 10 }, { state: true }]) {
      const { error, data: reply } = await stranger.request('$join', data, { room });
      expect(error).toMatchObject({ code: 'forbidden', retry: false });
      expect(reply).toBeUndefined();
    }
    await say();
    const friend = await cluster.connect('friend', { node: 1, room });
    await say();
    expect((await friend.event('club.said')).seq).toBe(3);
    expect(await stranger.drain()).toEqual([]);
    expect((await stranger.request('club.say', {}, { room })).error?.code).toBe('forbidden');
  });

  it.each([7, {}, '', '1', 'a|b|c', '1.a|b', '1.a b', '1.a\n', '1.ä'])(
    'R34: with the epoch %j is a bad frame',
    async (epoch) => {
      for (const data of [{ epoch, seq: 0 }, { epoch }]) {
        const { error } = await member.request('$join', data, { room });
        expect(error).toMatchObject({ code: 'bad_frame', retry: false });
      }
      expect(await member.join(room, { epoch: '1.never', seq: 0 })).toMatchObject({
        reason: 'unknown_epoch',
      });
    },
  );

  it.each([
    [{ epoch: '1.never', seq: null }, 'seq'],
    [{ epoch: null, seq: 0 }, 'epoch'],
  ])('R34: with half a position, as in %j, is invalid', async (data, path) => {
    const { error } = await member.request('$join', data, { room });
    expect(error).toMatchObject({ code: 'invalid', retry: false, details: [{ path }] });
  });

  it('R34: with what is null is as one without it', async () => {
    const { epoch } = await member.join<{ epoch: string }>(room);
    await say();
    for (const name of ['epoch', 'seq', 'last', 'state', 'meta']) {
      expect(await member.join(room, { [name]: null })).toEqual({
        epoch,
        seq: 1,
        recovered: true,
        missed: 0,
      });
    }
    const data = { epoch: null, seq: null, last: null, state: null, meta: null };
    expect(await member.join(room, data)).toMatchObject({ epoch, seq: 1, missed: 0 });
  });

  it.each([2 ** 53, 1e16, 1e300, -1, 0.5])('R34: at the number %j is invalid', async (seq) => {
    const { epoch } = await member.join<{ epoch: string }>(room);
    const { error } = await member.request('$join', { epoch, seq }, { room });
    expect(error).toMatchObject({ code: 'invalid', details: [{ path: 'seq' }] });
    const last = await member.join<{ lost: unknown }>(room, { epoch, seq: 2 ** 53 - 1 });
    expect(last.lost).toEqual({ from: 1, to: 2 ** 53 - 1 });
  });

  it.each([
    [{}, 0],
    [{ last: 3 }, 3],
    [{ last: 100 }, 10],
    [{ state: true }, undefined],
  ])('with %j is followed by as many events as it says, up to its seq or after it', async (data, missed) => {
    for (let i = 0; i < 5; i++) await say();
    // The node keeps the documents that it reads for this one.
    await (await cluster.connect('first', { node: 0 })).join(room, { state: true });
    for (let i = 0; i < 5; i++) await say();
    const late = await cluster.connect('late', { node: 0 });
    const reply = await late.join<{ seq: number; missed: number; documents?: object }>(room, data);
    expect(reply.missed).toBe(missed ?? 10 - reply.seq);
    expect(reply.documents !== undefined).toBe(missed === undefined);
    await say();
    await eventually(() => expect(late.frames.some(({ seq }) => seq === 11)).toBe(true));
    const seqs = late.frames.filter(({ event }) => event === 'club.said').map(({ seq }) => seq);
    const after = reply.documents ? reply.seq : reply.seq - reply.missed;
    expect(seqs).toEqual(Array.from({ length: 11 - after }, (_, i) => after + 1 + i));
  });

  it('with a position from the future is told so, and goes on from the present', async () => {
    const late = await cluster.connect('late', { node: 1 });
    const { epoch } = await member.join<{ epoch: string }>(room);
    await say();
    expect(await late.join(room, { epoch, seq: 8 })).toMatchObject({
      recovered: false,
      reason: 'rolled_back',
      seq: 1,
      lost: { from: 2, to: 8 },
    });
    await say();
    expect((await late.event('club.said')).seq).toBe(2);
  });

  it.each([
    ['the guard decides', true],
    ['the room is read', false],
  ])('and a leave that comes while %s take effect in their order', async (_when, guarded) => {
    const hasty = await cluster.connect('hasty', { node: 1 });
    const release = guarded ? hold() : () => undefined;
    const replies = Promise.all([
      hasty.request('$join', {}, { room }),
      hasty.request('$leave', {}, { room }),
      hasty.request('club.say', {}, { room }),
    ]);
    release();
    const [joined, left, said] = await replies;
    expect(joined).toMatchObject({ data: { recovered: true } });
    expect(left).toMatchObject({ data: {} });
    expect(said.error).toMatchObject({ code: 'forbidden' });
    await say();
    const { seq: start } = await hasty.join<{ seq: number }>(room);
    await say();
    // An event before its own start would reach it as a member, which it was not yet.
    for (const frame of await hasty.until(({ seq }) => seq === 2)) expect(frame.seq).toBeGreaterThan(start);
  });

  it('of a client that has gone meanwhile leaves nothing behind', async () => {
    const gone = await cluster.connect('gone', { node: 1, protocols: ['wss.v1'] });
    const release = hold();
    const before = questions;
    gone.send({ event: '$join', room, id: 1 });
    await eventually(() => expect(questions).toBeGreaterThan(before));
    await gone.terminate();
    release();
    await cluster.connect('friend', { node: 1, room }).then((friend) => friend.close());
    await eventually(async () => expect(await subscribers()).toBe(1), { withinMs: 20_000 });
    expect(await say()).toEqual({ seq: 1 });
  });

  it('that comes many times over, with leaves between, ends as the last one says', async () => {
    const client = await cluster.connect('ann', { node: 1 });
    const replies = [];
    for (let i = 0; i < 50; i++) {
      replies.push(client.request(i % 2 === 0 ? '$join' : '$leave', {}, { room }));
    }
    for (const { error } of await Promise.all(replies)) expect(error).toBeUndefined();
    await say();
    const { seq: start } = await client.join<{ seq: number }>(room);
    await say();
    const before = await client.until(({ seq }) => seq === 2);
    const said = before.filter(({ event }) => event === 'club.said');
    for (const { seq } of said) expect(seq).toBeGreaterThan(start);
    await client.close();
    await eventually(async () => expect(await subscribers()).toBe(1), { withinMs: 20_000 });
  });
});

it("another user's token opens a session of one's own, and does not disturb the other", async () => {
  const protocols = ['wss.v1'];
  const owner = await cluster.connect('owner', { node: 0, protocols });
  const { token, session } = (await owner.event('$hello')).data as { token: string; session: string };
  await owner.join(room);
  const thief = await cluster.connect('thief', { node: 1, protocols: ['wss.v1', `wss.resume.${token}`] });
  const hello = (await thief.event('$hello')).data as { resumed: boolean; session: string; user: string };
  expect(hello).toMatchObject({ resumed: false, rooms: [], user: 'thief' });
  expect(hello.session).not.toBe(session);
  await say();
  expect((await owner.event('club.said')).seq).toBe(1);
  expect(await thief.drain()).toEqual([]);
});

describe('R41: a join of a room that a newer release keeps in another form', () => {
  it.each([
    ['without numbered commands', []],
    ['with numbered commands', ['wss.v1']],
  ])('%s is told so', async (_what, protocols) => {
    const client = await cluster.connect('ben', { node: 1, protocols });
    if (protocols.length > 0) {
      await client.join(room);
      await client.command('club.say', {}, { room, n: 1 });
    } else await say();
    const meta = `wss:{${room}}:m`;
    const epoch = String(await redis.cli('HGET', meta, 'e'));
    await redis.cli('HSET', meta, 'e', `v2 ${epoch}`);
    const { error } = await client.request('$join', {}, { room });
    expect(error).toMatchObject({ code: 'unavailable', retry: true });
    expect(error!.message).toContain('a newer release keeps');
    await redis.cli('HSET', meta, 'e', epoch);
  });
});

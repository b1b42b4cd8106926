import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomType } from '@wss/core';
import { eventually, FeatureCluster, type ServerFrame, type TestClient } from '@wss/testing';
import { IsString } from 'class-validator';

class Note {
  @IsString() text!: string;
}

@Injectable()
@RoomType('note', { events: { 'note.written': Note } })
class NoteHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.write')
  write(@MessageBody() { text }: Note, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, Note, { text });
  }
}

/** Handlers of the newer release only: one more command in an existing kind of room, and a new kind of room. */
@Injectable()
@RoomType('note')
class NewerHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.sign')
  sign(@MessageBody() { text }: Note, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, Note, { text: `signed ${text}` });
  }
}

@Injectable()
@RoomType('memo', { events: { 'memo.written': Note } })
class MemoHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('memo.write')
  write(@MessageBody() { text }: Note, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, Note, { text });
  }
}

@Module({ providers: [NoteHandlers] })
class OldModule {}
@Module({ providers: [NoteHandlers, NewerHandlers, MemoHandlers] })
class NewModule {}

const room = 'note:1';
const OLD = 0;
const NEW = 1;
const elsewhere = {
  error: { code: 'unavailable', retry: true, details: [{ retryInMs: expect.any(Number) }] },
};

describe.each(['memory', 'redis'] as const)('two releases side by side on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  const start = async (): Promise<void> => {
    cluster = await FeatureCluster.start({ features: [OldModule], nodes: 1, engine });
    await cluster.addNode({ features: [NewModule] });
  };

  /** A client with a session that is in the room. */
  async function member(node: number, token?: string): Promise<{ client: TestClient; token: string }> {
    const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
    const client = await cluster.connect('ann', { node, protocols });
    const hello = (await client.event('$hello')) as ServerFrame<{ token: string }>;
    await client.join(room);
    return { client, token: hello.data!.token };
  }

  const send = (client: TestClient, event: string, n?: number): Promise<ServerFrame> =>
    client.request(event, { text: 'hi' }, { room, ...(n !== undefined && { n }) });

  it('carry out on the newer node what the older one does not know, once', async () => {
    await start();
    const { client, token } = await member(OLD);
    const first = await send(client, 'note.sign', 1);
    expect(first).toMatchObject(elsewhere);
    const [{ retryInMs }] = first.error!.details as [{ retryInMs: number }];
    expect(Math.min(5_000, Math.max(1_000, retryInMs))).toBe(retryInMs);
    expect(await send(client, 'note.sign', 1)).toMatchObject(elsewhere);
    expect((await client.closed).code).toBe(1012);
    const { client: moved } = await member(NEW, token);
    expect(await send(moved, 'note.sign', 1)).toMatchObject({ data: { seq: 1 }, seq: 1 });
    expect(await send(moved, 'note.sign', 1)).toMatchObject({ data: { seq: 1 }, dup: true });
  });

  it('hold up no other room, and let the answers out before the client goes', async () => {
    await start();
    const { client } = await member(OLD);
    await client.join('note:2');
    expect(await send(client, 'note.sign', 1)).toMatchObject(elsewhere);
    const other = client.request('note.write', { text: 'here' }, { room: 'note:2', n: 1 });
    const again = send(client, 'note.sign', 1);
    const last = client.request('note.write', { text: 'there' }, { room: 'note:2', n: 2 });
    expect(await other).toMatchObject({ data: { seq: 1 } });
    expect(await again).toMatchObject(elsewhere);
    expect(await last).toMatchObject({ data: { seq: 2 } });
    expect((await client.closed).code).toBe(1012);
  });

  it('refuse for good what neither knows, and record that', async () => {
    await start();
    const { client } = await member(OLD);
    for (const event of ['note.burn', 'memo.write']) {
      expect(await send(client, event)).toMatchObject({ error: { code: 'unknown_event' } });
    }
    expect(await send(client, 'note.burn', 1)).toMatchObject({ error: { code: 'unknown_event' } });
    expect(await send(client, 'note.burn', 1)).toMatchObject({ error: { code: 'unknown_event' }, dup: true });
    expect(await send(client, 'note.write', 2)).toMatchObject({ data: { seq: 1 } });
  });

  it('send elsewhere what has no number, and who joins a kind of rooms that only one has', async () => {
    await start();
    const ann = await cluster.connect('ann', { room });
    expect(await send(ann, 'note.sign')).toMatchObject(elsewhere);
    const bob = await cluster.connect('bob', { node: 0 });
    expect(await bob.request('$join', {}, { room: 'memo:1' })).toMatchObject(elsewhere);
    expect(await bob.request('$join', {}, { room: 'none:1' })).toMatchObject({
      error: { code: 'not_found' },
    });
    expect(await bob.request('memo.write', { text: 'x' }, { room: 'memo:1' })).toMatchObject(elsewhere);
    expect((await bob.closed).code).toBe(1012);
  });

  it('know no more of a node that has gone', async () => {
    await start();
    const early = await cluster.connect('ann', { room });
    expect(await send(early, 'note.sign')).toMatchObject(elsewhere);
    await cluster.stopNode(NEW);
    await eventually(async () => {
      const client = await cluster.connect('ann', { room });
      expect(await send(client, 'note.sign')).toMatchObject({ error: { code: 'unknown_event' } });
    });
  });
});

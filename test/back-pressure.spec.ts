import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { type Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomType } from '@wss/core';
import { FeatureCluster, type TestClient } from '@wss/testing';

const PAD = 'x'.repeat(60_000);
/** So many of these are far more than what the kernel takes off a node for a client that does not read. */
const EVENTS = 400;

@RoomType('calm', { backPressure: 'resync', openToAll: true })
class CalmRooms {}

@RoomType('flow', { backPressure: 'drop', openToAll: true })
class FlowRooms {}

@RoomType('vital', { backPressure: 'close', openToAll: true })
class VitalRooms {}

@Injectable()
class FloodHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('flood.write')
  write(@CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, 'flood.written', PAD);
  }

  @SubscribeMessage('flood.move')
  async move(@CurrentCommand() command: Command): Promise<void> {
    await this.rooms.to(command.room!).volatile('flood.moved', PAD);
  }
}

@Module({ providers: [CalmRooms, FlowRooms, VitalRooms, FloodHandlers] })
class FloodModule {}

type Flood = 'flood.write' | 'flood.move';

let cluster: FeatureCluster;
beforeAll(async () => {
  cluster = await FeatureCluster.start({ features: [FloodModule], nodes: 1 });
});
afterAll(() => cluster?.stop());

/** A member that read nothing while so many events were sent, and reads on now. */
async function flooded(kind: string, command: Flood): Promise<TestClient> {
  const room = `${kind}:${randomUUID()}`;
  const member = await cluster.connect('ann', { room });
  const writer = await cluster.connect('bob');
  member.socket.pause();
  for (let sent = 0; sent < EVENTS; sent += 20) {
    await Promise.all(Array.from({ length: 20 }, () => writer.command(command, {}, { room })));
  }
  await writer.command('flood.write', {}, { room });
  member.socket.resume();
  return member;
}

describe('a member whose line stands still', () => {
  it.each(['calm', 'flow'])(
    'R23: loses volatile events of a room of the kind "%s", and stays',
    async (kind) => {
      const member = await flooded(kind, 'flood.move');
      expect(await member.event('flood.written', 20_000)).toMatchObject({ seq: 1 });
      const moved = member.frames.filter(({ event }) => event === 'flood.moved');
      expect(moved.length).toBeLessThan(EVENTS);
      expect(await member.command('$ping', {})).toEqual({});
    },
  );

  it('R24: gets all logged events of a room of the kind "calm" in the end', async () => {
    const member = await flooded('calm', 'flood.write');
    for (let seq = 1; seq <= EVENTS + 1; seq++) {
      expect(await member.event('flood.written', 20_000)).toMatchObject({ seq });
    }
  });

  it.each<[string, Flood]>([
    ['flow', 'flood.write'],
    ['vital', 'flood.write'],
    ['vital', 'flood.move'],
  ])('R23: is closed where a room of the kind "%s" has too much unread of "%s"', async (kind, command) => {
    const member = await flooded(kind, command);
    expect(await member.closed).toMatchObject({ code: 4408 });
  });
});

describe('a member that still gets what it missed', () => {
  it('R23: loses no volatile event of a room of the kind "vital"', async () => {
    const room = `vital:${randomUUID()}`;
    const writer = await cluster.connect('bob');
    for (let sent = 0; sent < EVENTS; sent += 20) {
      await Promise.all(Array.from({ length: 20 }, () => writer.command('flood.write', {}, { room })));
    }
    const member = await cluster.connect('ann');
    await member.request('$join', { last: EVENTS }, { room });
    member.socket.pause();
    await writer.command('flood.move', {}, { room });
    await writer.command('flood.write', {}, { room });
    member.socket.resume();
    for (let seq = 1; seq <= EVENTS + 1; seq++) {
      expect(await member.event('flood.written', 20_000)).toMatchObject({ seq });
    }
    expect(member.frames.filter(({ event }) => event === 'flood.moved')).toHaveLength(1);
  });
});

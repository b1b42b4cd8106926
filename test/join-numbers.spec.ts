import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { type Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomType } from '@wss/core';
import { LaneNumbers, RoomSource } from '@wss/messaging';
import { FeatureCluster } from '@wss/testing';

@Injectable()
@RoomType('note', {})
class NoteHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.write')
  write(@CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, 'note.written', {});
  }
}

@Module({ providers: [NoteHandlers] })
class NoteModule {}

describe.each(['memory', 'redis'] as const)('joining while the engine fails over, on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  it('R15: never names a number from before the epoch that it names', async () => {
    const room = 'note:1';
    cluster = await FeatureCluster.start({ features: [NoteModule], nodes: 1, engine });
    const client = await cluster.connect('ann', { protocols: ['wss.v1'] });
    await client.next();
    const { epoch } = await client.join<{ epoch: string }>(room);
    await client.command('note.write', {}, { room, n: 1 });

    // The number is read before the failover, and is on its way until after it.
    const numbers = cluster.nodes[0]!.get(LaneNumbers);
    const read = numbers.numberIn.bind(numbers);
    const arrives = signal();
    const wasRead = signal();
    numbers.numberIn = async (...question) => {
      const answer = await read(...question);
      numbers.numberIn = read;
      wasRead.give();
      await arrives.given;
      return answer;
    };
    let joining: Promise<{ epoch: string; n?: number }> | undefined;
    await cluster.loseTail(async () => {
      await client.command('note.write', {}, { room, n: 2 });
      joining = client.join(room);
      await wasRead.given;
    });
    arrives.give();

    const joined = await joining!;
    expect(joined.epoch).not.toBe(epoch);
    expect(joined.n).toBe(1);
  });

  it('R15: asks once where the room stands', async () => {
    const room = 'note:2';
    cluster = await FeatureCluster.start({ features: [NoteModule], nodes: 1, engine });
    const client = await cluster.connect('ann', { protocols: ['wss.v1'] });
    await client.next();
    await client.join(room);
    await client.command('note.write', {}, { room, n: 1 });
    const source = cluster.nodes[0]!.get(RoomSource);
    const hold = source.hold.bind(source);
    let asked = 0;
    source.hold = (name) => {
      const held = hold(name);
      const begin = held.begin.bind(held);
      held.begin = (...request) => {
        asked++;
        return begin(...request);
      };
      return held;
    };
    expect(await client.join(room)).toMatchObject({ n: 1 });
    expect(asked).toBe(1);
  });
});

function signal(): { readonly given: Promise<void>; give(): void } {
  let give!: () => void;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}

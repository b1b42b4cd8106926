import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { type ExportedEvent, type ExportedRoom, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomDocument, RoomType } from '@wss/core';
import { WssModule } from '@wss/nest';
import { InjectState, StateRepository } from '@wss/state';
import { type FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { readFileSync } from 'node:fs';
import { ENGINES, startOn } from './fixtures/any-engine.js';

class Filling {
  @IsString() text!: string;
  @IsOptional() @IsInt() @Min(1) @Max(600) times?: number;
}

@RoomDocument('shelf')
class Shelf {
  @IsInt() steps = 0;
}

@RoomDocument('shelf')
class Index {
  @IsInt() steps = 0;
}

/** Each command adds as much to both documents as it appends events, so a moment's parts have the same number. */
@Injectable()
@RoomType('shelf', { history: { events: 5_000 } })
class ShelfHandlers {
  constructor(
    @InjectState(Shelf) private readonly shelves: StateRepository<Shelf>,
    private readonly rooms: Rooms,
  ) {}

  @SubscribeMessage('shelf.fill')
  fill(@MessageBody() { text, times = 1 }: Filling, @CurrentCommand() command: Command): Promise<number> {
    return this.shelves.update(command, (shelf, room) => {
      const index = room.document(Index);
      for (let i = 0; i < times; i++) room.append('shelf.filled', { step: ++shelf.steps, text });
      index.steps = shelf.steps;
      return shelf.steps;
    });
  }
}

@Module({ imports: [WssModule.forFeature([Shelf, Index])], providers: [ShelfHandlers] })
class ShelfModule {}

const room = 'shelf:1';

async function listed(events: AsyncIterable<ExportedEvent>): Promise<ExportedEvent[]> {
  const all: ExportedEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** The seqs that an export should have: all of them, newest first. */
const downFrom = (seq: number): number[] => Array.from({ length: seq }, (_, i) => seq - i);

describe.each(ENGINES)('the export of a room on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  const start = async (): Promise<TestClient[]> => {
    cluster = await startOn(engine, { features: [ShelfModule], nodes: 2, logger: ['error', 'fatal'] });
    const clients = [await cluster.connect('ann', { node: 0 }), await cluster.connect('bob', { node: 1 })];
    for (const client of clients) await client.join(room);
    return clients;
  };
  const rooms = (node = 0): Rooms => cluster.nodes[node]!.app.get(Rooms, { strict: false });
  const fill = (client: TestClient, text = '', times = 1) =>
    client.request<number>('shelf.fill', { text, times }, { room });
  const stepsOf = ({ documents }: ExportedRoom): unknown[] =>
    ['shelf', 'index'].map((name) => (documents[name]?.value as Shelf | undefined)?.steps ?? 0);

  it('has documents and log of one moment, while commands go on', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const clients = await start();
    // More than a page has, so that one is larger.
    await fill(clients[0]!, '', 600);
    let left = clients.length;
    const filling = clients.map(async (client) => {
      for (let i = 0; i < 60; i++) {
        const length = random.below(5) > 0 ? random.below(200) : random.below(20_000);
        await fill(client, 'x'.repeat(length), 1 + random.below(3));
      }
      left--;
    });
    const seen: number[] = [];
    do {
      // Between two exports the node serves its clients.
      await clients[0]!.request('$ping');
      const exported = await rooms(random.below(2)).export(room);
      const { epoch, seq } = exported.position;
      // Each iteration reads what was there at the position.
      for (let times = random.below(3); times >= 0; times--) {
        const events = await listed(exported.events);
        expect([seed, events.map((event) => event.seq)]).toEqual([seed, downFrom(seq)]);
        for (const event of events)
          expect(event).toMatchObject({ event: 'shelf.filled', data: { step: event.seq } });
      }
      expect([seed, ...stepsOf(exported)]).toEqual([seed, seq, seq]);
      for (const { version } of Object.values(exported.documents)) expect(version).toBe(seq);
      expect(exported).toMatchObject({ room, lineage: [], position: { epoch } });
      seen.push(seq);
    } while (left > 0);
    await Promise.all(filling);
    expect(new Set(seen).size).toBeGreaterThan(1);
  });

  it('is written as docs/features.md says', async () => {
    const [ann] = await start();
    await fill(ann!, 'one');
    await fill(ann!, 'two');
    const text = readFileSync(new URL('../docs/features.md', import.meta.url), 'utf8');
    const [, code] = /## Export a room\n\n```ts\n(.*?)```/s.exec(text)!;
    const run = new Function('rooms', 'write', `return (async () => {${code!}})()`) as (
      ...given: [Pick<Rooms, 'export'>, (part: unknown) => void]
    ) => Promise<void>;
    const written: unknown[] = [];
    // The room that the section names is of another kind.
    await run({ export: () => rooms().export(room) }, (part) => written.push(part));
    expect(written).toMatchObject([
      {
        documents: { shelf: { version: 2, value: { steps: 2 } }, index: { version: 2, value: { steps: 2 } } },
      },
      { seq: 2, event: 'shelf.filled', data: { step: 2, text: 'two' } },
      { seq: 1, event: 'shelf.filled', data: { step: 1, text: 'one' } },
    ]);
  });

  it('reads no more of the log than is asked for', async () => {
    const [ann] = await start();
    for (let i = 0; i < 20; i++) await fill(ann!, 'x'.repeat(10_000));
    const { events } = await rooms().export(room);
    for await (const { seq } of events) {
      expect(seq).toBe(20);
      break;
    }
    expect(await listed(events)).toHaveLength(20);
  });

  it('of a room that was never used is empty, and there is none of an undeclared kind', async () => {
    await start();
    const { documents, events, position } = await rooms().export('shelf:other');
    expect([documents, position.seq, await listed(events)]).toEqual([{}, 0, []]);
    await expect(rooms().export('cellar:1')).rejects.toMatchObject({ code: 'not_found' });
    for (const name of ['', 'shelf', 'shelf:', ':1']) {
      await expect(rooms().export(name)).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  it('tells of the ends of memberships in its events', async () => {
    const [ann] = await start();
    await fill(ann!);
    await rooms().to(room).remove('bob', { reason: 'rude' });
    const [newest, first] = await listed((await rooms().export(room)).events);
    expect(newest).toMatchObject({ seq: 2, event: '$changed', ending: { user: 'bob', reason: 'rude' } });
    expect(first).not.toHaveProperty('ending');
  });

  it('is refused half-way when the room is deleted, rather than to end', async () => {
    const [ann, bob] = await start();
    for (let i = 0; i < 30; i++) await fill([ann!, bob!][i % 2]!, 'x'.repeat(10_000));
    const { events, position } = await rooms(1).export(room);
    const seqs: number[] = [];
    const reading = (async () => {
      for await (const { seq } of events) {
        if (seqs.push(seq) === 1) await rooms(0).delete(room);
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'conflict' });
    expect(seqs).toEqual(downFrom(position.seq).slice(0, seqs.length));
    const after = await rooms(1).export(room);
    expect([after.documents, await listed(after.events)]).toEqual([{}, []]);
  });
});

it('is refused when the room went on without its newest events', async () => {
  const cluster = await startOn('redis', { features: [ShelfModule], nodes: 2, logger: ['fatal'] });
  try {
    const client = await cluster.connect('ann', { session: true });
    await client.join(room);
    const fill = () => client.request('shelf.fill', { text: '' }, { room });
    const rooms = cluster.nodes[0]!.app.get(Rooms, { strict: false });
    await fill();
    let exported: ExportedRoom | undefined;
    await cluster.loseTail(async () => {
      await fill();
      exported = await rooms.export(room);
    });
    expect(exported!.position.seq).toBe(2);
    await expect(listed(exported!.events)).rejects.toMatchObject({ code: 'conflict' });
    const now = await rooms.export(room);
    expect((await listed(now.events)).map(({ seq }) => seq)).toEqual(downFrom(now.position.seq));
  } finally {
    await cluster.stop();
  }
});

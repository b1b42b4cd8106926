import { describe, expect, it } from '@jest/globals';
import { writeSync } from 'node:fs';
import { newSeed, Random } from '@wss/testing';
import { BadSnapshot, MemoryEngine, MemoryTable } from '../src/index.js';
import { emptyRoom } from '../src/memory/room.memory.js';

class CupTable extends MemoryTable<{ tea: string }> {
  readonly name = 'cups';
  override readonly isReplicated = true;
  filled = 0;
}
class MugTable extends MemoryTable<{ tea: string }> {
  readonly name = 'mugs';
}

describe('tables of the embedded engine', () => {
  it('are one for each class and engine', () => {
    const engine = new MemoryEngine();
    engine.table(CupTable).rows.set('a', { tea: 'green' });
    expect(engine.table(CupTable).rows.get('a')).toEqual({ tea: 'green' });
    expect(engine.table(MugTable).rows.size).toBe(0);
    expect(new MemoryEngine().table(CupTable).rows.size).toBe(0);
  });

  it('a failover takes replicated rows back, and nothing else', () => {
    const engine = new MemoryEngine();
    const [cups, mugs] = [engine.table(CupTable), engine.table(MugTable)];
    for (const { rows } of [cups, mugs]) rows.set('a', { tea: 'green' });
    engine.pauseReplication();
    for (const { rows } of [cups, mugs]) rows.set('b', { tea: 'black' }).get('a')!.tea = 'none';
    cups.filled = 2;
    engine.promote();
    expect([...cups.rows]).toEqual([['a', { tea: 'green' }]]);
    expect([...mugs.rows.keys()]).toEqual(['a', 'b']);
    expect(mugs.rows.get('a')).toEqual({ tea: 'none' });
    expect(cups.filled).toBe(2);
  });

  it('a failover empties a replicated table that came into being after the last replication', () => {
    const engine = new MemoryEngine();
    engine.pauseReplication();
    engine.table(CupTable).rows.set('a', { tea: 'green' });
    engine.table(MugTable).rows.set('a', { tea: 'green' });
    engine.promote();
    expect(engine.table(CupTable).rows.size).toBe(0);
    expect(engine.table(MugTable).rows.size).toBe(1);
  });

  it('a failover without a pause loses nothing, also after one with a pause', () => {
    const engine = new MemoryEngine();
    engine.pauseReplication();
    engine.promote();
    const before = engine.replicationId;
    engine.table(CupTable).rows.set('a', { tea: 'green' });
    engine.promote();
    expect(engine.table(CupTable).rows.size).toBe(1);
    expect(engine.replicationId).not.toBe(before);
  });
});

describe('a snapshot of the embedded engine', () => {
  function filled(now = Date.now): MemoryEngine {
    const engine = new MemoryEngine(now);
    engine.table(CupTable).rows.set('a', { tea: 'green' });
    engine.table(CupTable).filled = 3;
    engine.rooms.set('board:a', { ...emptyRoom(), seq: 7, birth: 'b', metaExpiresAt: Infinity });
    return engine;
  }

  it('brings back all tables, those too that the start in between never asked for', () => {
    const engine = filled();
    const between = MemoryEngine.restore(engine.snapshot());
    const after = MemoryEngine.restore(between.snapshot());
    expect(after.table(CupTable)).toEqual(engine.table(CupTable));
    expect(after.rooms).toEqual(engine.rooms);
    expect(after.replicationId).toBe(engine.replicationId);
    expect(after.table(MugTable).rows.size).toBe(0);
  });

  it('goes on under a clock that is not behind, and that goes on', () => {
    let clock = 1_000_000;
    const engine = filled(() => clock);
    const snapshot = engine.snapshot();
    clock -= 5_000;
    const behind = MemoryEngine.restore(snapshot, () => clock);
    expect(behind.now()).toBe(1_000_000);
    clock += 70;
    expect(behind.now()).toBe(1_000_070);
    clock += 60_000;
    expect(MemoryEngine.restore(snapshot, () => clock).now()).toBe(clock);
  });

  it('is refused when any bit of it is wrong, or any part is missing or added', () => {
    const random = new Random(newSeed());
    const snapshot = filled().snapshot();
    const refused = (bytes: Uint8Array): void => {
      const read = (): unknown => {
        MemoryEngine.restore(bytes);
        return `accepted; seed ${random.seed}`;
      };
      expect(read).toThrow(BadSnapshot);
    };
    for (let i = 0; i < 500; i++) {
      const bytes = Uint8Array.from(snapshot);
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      refused(bytes);
      refused(snapshot.subarray(0, random.below(snapshot.length)));
    }
    refused(Buffer.concat([snapshot, Buffer.from([0])]));
  });

  it('names its version, and others are refused', () => {
    const text = Buffer.from(filled().snapshot()).toString('latin1');
    const other = Buffer.from(text.replace(/^wss engine \d+/, 'wss engine 99'), 'latin1');
    expect(() => MemoryEngine.restore(other)).toThrow('it has version 99');
  });

  it('says what 10 MB cost', () => {
    const engine = filled();
    for (let i = 0; i < 50; i++) {
      const log = Array.from({ length: 1_000 }, (_, n) => ({
        first: n + 1,
        events: [{ event: 'chat.sent', data: JSON.stringify({ text: `${n}`.repeat(60) }) }],
      }));
      engine.rooms.set(`chat:${i}`, { ...emptyRoom(), seq: 1_000, log });
    }
    const start = performance.now();
    const snapshot = engine.snapshot();
    const written = performance.now();
    const { size } = MemoryEngine.restore(snapshot).rooms;
    const costs = { writeMs: written - start, readMs: performance.now() - written };
    writeSync(process.stderr.fd, `snapshot: ${JSON.stringify({ size, bytes: snapshot.length, ...costs })}\n`);
  });
});

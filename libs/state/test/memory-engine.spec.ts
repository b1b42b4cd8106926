import { describe, expect, it } from '@jest/globals';
import { MemoryEngine, MemoryTable } from '../src/index.js';

class CupTable extends MemoryTable<{ tea: string }> {
  override readonly isReplicated = true;
  filled = 0;
}
class MugTable extends MemoryTable<{ tea: string }> {}

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

import { describe, expect, it } from '@jest/globals';
import { absentBeside, slotOf } from './hash-slot.js';
import { SlotMap } from './slot-map.js';

const from = { host: '10.0.0.9', port: 6_379 };
const node = (address: string, flags: string, epoch: number, ...slots: string[]): string =>
  ['id', address, flags, '-', '0', '0', epoch, 'connected', ...slots].join(' ');
const view = (...lines: string[]): { text: string; from: typeof from } => ({ text: lines.join('\n'), from });

describe('hash slots', () => {
  // From the specification of Redis Cluster, and from CLUSTER KEYSLOT.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['a{foo}b{bar}', 12_182],
    ['{}foo', 9_500],
    ['', 0],
  ])('%j is in %d', (key, slot) => expect(slotOf(key)).toBe(slot));

  it.each(['wss:nodes', 'wss:{chat:lobby}:m', 'wss:s:{id}:l'])('%s has an absent name beside it', (key) => {
    expect(slotOf(absentBeside(key))).toBe(slotOf(key));
    expect(absentBeside(key)).toMatch(/^wss:.*:-$/);
  });
});

describe('the map of slots', () => {
  it('has the masters with slots', () => {
    const map = new SlotMap([
      view(
        node(':0@10000', 'myself,master', 1, '0-99', '[7->-id]'),
        node('10.0.0.2:6380@16380,two.example', 'master', 2, '100-16381', '16383'),
        node('10.0.0.3:6381@16381', 'slave', 2),
        node('10.0.0.4:6382@16382', 'master', 0),
      ),
    ]);
    expect([...map.masters.keys()]).toEqual(['10.0.0.9:6379', '10.0.0.2:6380']);
    expect([0, 7, 16_383].map((slot) => map.ownerOf(slot))).toEqual([
      '10.0.0.9:6379',
      '10.0.0.9:6379',
      '10.0.0.2:6380',
    ]);
    expect(map.ownerOf(16_382)).toBeUndefined();
    expect(map.uncovered).toBe(1);
  });

  it('believes the latest, whoever tells it first', () => {
    const stale = view(node('a:1@2', 'master', 3, '0-16383'));
    const latest = view(node('b:1@2', 'master', 4, '5'), node('a:1@2', 'master', 3, '0-4', '6-16383'));
    for (const views of [
      [stale, latest],
      [latest, stale],
    ]) {
      const map = new SlotMap(views);
      expect([4, 5, 6].map((slot) => map.ownerOf(slot))).toEqual(['a:1', 'b:1', 'a:1']);
    }
  });

  it('calls servers by their name where a certificate is checked', () => {
    const told = view(node('10.0.0.2:6380@16380,two.example', 'master', 2, '0-16383'));
    expect([...new SlotMap([told], true).masters.keys()]).toEqual(['two.example:6380']);
  });
});

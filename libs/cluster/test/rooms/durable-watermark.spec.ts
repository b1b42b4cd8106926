import { expect, it } from '@jest/globals';
import { eventually, keptState } from '@wss/testing';
import { DurableWatermark, type WatchedRoom } from '../../src/rooms/durable-watermark.js';

it('R29: keeps nothing of a room that is not followed any more when its proof comes', async () => {
  const position = { epoch: '1', seq: 1 };
  const rooms = new Map<string, WatchedRoom>();
  for (const name of ['gone', 'stays']) rooms.set(name, { name, position, replicationId: 'r' });
  const told: string[] = [];
  let prove: ((durable: boolean) => void) | undefined;
  const watermark = new DurableWatermark({
    store: { durable: () => new Promise((resolve) => (prove = resolve)) },
    rooms: () => rooms.values(),
    listener: { durable: (name) => void told.push(name) },
  });
  await eventually(() => expect(prove).toBeDefined());
  rooms.delete('gone');
  watermark.forget('gone');
  prove!(true);
  await eventually(() => expect(told).toContain('stays'));
  expect(told).toEqual(['stays']);
  expect(keptState(watermark).get('DurableWatermark.proven')).toBe(1);
  watermark.close();
});

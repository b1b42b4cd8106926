import { expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { newSeed, Random } from '@wss/testing';
import { type ClientSocket, Hub } from '../src/index.js';
import { Flusher } from '../src/socket/flusher.js';
import { OutboundQueue } from '../src/socket/outbound-queue.js';
import { SharedFrames } from '../src/socket/shared-frames.js';
import { Line } from './fanout/line.js';

const quiet = { overflowed: () => undefined, drained: () => undefined, failed: () => undefined };

function connected(flusher: Flusher, id: string): { client: ClientSocket; line: Line } {
  const line = new Line();
  const queue = new OutboundQueue(line, flusher, quiet);
  // The part of a client that the hub needs.
  return { line, client: { id, user: 'ann', generation: 0, queue } as unknown as ClientSocket };
}

it('R39: lets nothing out that waits until the user is judged, whatever else is to wait', async () => {
  const seed = newSeed();
  const random = new Random(seed);
  for (let play = 0; play < 100; play++) {
    const [hub, flusher] = [new Hub(), new Flusher()];
    const lines: Line[] = [];
    let waits = false;
    for (let step = 0; step < 30; step++) {
      const dice = random.below(10);
      const written = (): number => lines.reduce((sum, { received }) => sum + received.length, 0);
      const before = written();
      if (dice < 2) hub.hold('ann', 'rooms');
      else if (dice === 2) {
        hub.hold('ann', 'all');
        waits = true;
      } else if (dice === 3) {
        hub.release('ann');
        waits = false;
      } else if (dice < 6) {
        const { client, line } = connected(flusher, `${play}.${step}`);
        lines.push(line);
        hub.add(client);
      } else if (dice === 6) for (const client of [...hub.all()]) hub.remove(client);
      else if (dice === 7) {
        const frames = new SharedFrames({ room: 'log:1' });
        frames.add(Buffer.from('r'));
        for (const client of hub.all()) client.queue?.push(frames);
      } else hub.deliverToUser('ann', '"told"', '1');
      await nextTurn();
      expect({ seed, play, step, late: waits && written() > before }).toEqual({
        seed,
        play,
        step,
        late: false,
      });
    }
  }
});

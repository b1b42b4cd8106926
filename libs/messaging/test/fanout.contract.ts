import { writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { newSeed } from '@wss/testing';
import { FanoutNode, FanoutPlay } from './fanout/fanout-world.js';

/** `npm run chaos` asks for more. */
const PLAYS = process.env.CHAOS === 'long' ? 10_000 : 200;

/** The promises of a node to the members of its rooms, whatever happens on the last meter. */
export function fanoutContract(name: string): void {
  describe(name, () => {
    let node: FanoutNode;
    beforeAll(async () => {
      node = await FanoutNode.start();
    });
    afterAll(() => node?.stop());

    it('R23, R24, R18: what the feed delivers reaches every member once and in order, or it is told $reset', async () => {
      const seed = newSeed();
      for (let play = 0; play < PLAYS; play++) {
        const problems = await new FanoutPlay(node, seed + play).run();
        if (problems.length > 0) throw new Error(`CHAOS_SEED=${seed + play}:\n${problems.join('\n')}`);
      }
      const line = JSON.stringify({ seed, plays: PLAYS, ...node.counts.of });
      writeSync(process.stderr.fd, `fan-out: ${line}\n`);
    }, 1_800_000);
  });
}

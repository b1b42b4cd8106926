import { describe, expect, it } from '@jest/globals';
import { type FailoverVerdict, runFailovers } from './failover.js';
import { FORM, report } from './form.js';
import { startLocalNode, startProcessNode } from './nodes.js';
import { requireClean } from './stage.js';

function expectHonest(name: string, verdict: FailoverVerdict): void {
  const { tails, seed, applied, history } = verdict;
  const lost = tails.reduce((sum, tail) => sum + tail.lost, 0);
  report(name, { seed, failovers: tails.length, lost, applied, ...Object.fromEntries(history.counts) });
  requireClean(name.replaceAll(' ', '-'), verdict);
  expect(tails.filter((tail) => tail.lost === 0)).toEqual([]);
}

describe('a failover that loses the tail of the history', () => {
  it(
    'has exactly the lost commands declared, takes them again once each, and does not touch who is on the surviving prefix',
    async () => {
      const verdict = await runFailovers({ failovers: FORM.localFailovers, startNode: startLocalNode });
      expectHonest('failovers', verdict);
    },
    FORM.timeoutMs,
  );

  it(
    'does so to gateway processes and clients over WebSockets',
    async () => {
      const verdict = await runFailovers({ failovers: FORM.processFailovers, startNode: startProcessNode });
      expectHonest('failovers of gateway processes', verdict);
    },
    FORM.timeoutMs,
  );
});

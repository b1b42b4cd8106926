import { describe, expect, it } from '@jest/globals';
import { runExactlyOnce } from './exactly-once.js';
import { FORM, report } from './form.js';
import { requireClean } from './stage.js';

describe('R22: numbered commands over links that are cut every 30 ms and lose replies', () => {
  it(
    'take effect exactly once each, and some are answered from the record',
    async () => {
      const { commands } = FORM;
      const verdict = await runExactlyOnce({ commands, sessions: 16, nodes: 3 });
      const { history, applied, seed } = verdict;
      report('exactly once', { seed, commands, applied, ...Object.fromEntries(history.counts) });
      requireClean('exactly-once', verdict);
      expect(applied).toBe(commands);
      expect(history.counted('answers from the record')).toBeGreaterThanOrEqual(commands / 100);
    },
    FORM.timeoutMs,
  );
});

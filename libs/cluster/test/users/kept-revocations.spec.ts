import { expect, it } from '@jest/globals';
import { MemoryEngine } from '@wss/state';
import { eventually } from '@wss/testing';
import { MemorySessionStore, MemoryStandingStore } from '../../src/index.js';
import { KeptRevocations } from '../../src/revocations/kept-revocations.js';

it('R39: a later revocation of a user stays when an older one that was lost is repeated', async () => {
  const engine = new MemoryEngine();
  const standings = new MemoryStandingStore(engine);
  const at = 1_000_000;
  const later = { user: 'ann', at: at + 60_000, history: 'b' };
  const repeated: unknown[] = [];
  const kept: KeptRevocations = new KeptRevocations({
    standings,
    sessions: new MemorySessionStore(engine),
    canBeDurable: false,
    repeat: (revocation) => {
      repeated.push(revocation);
      // The user is revoked again while the older one is under way.
      if (repeated.length === 1) kept.keep(later);
      kept.keep({ ...revocation, history: 'c' });
      return Promise.resolve();
    },
  });
  kept.keep({ user: 'ann', at, history: 'a' });
  kept.look();
  await eventually(() => expect(repeated).toHaveLength(1));
  kept.look();
  await eventually(() => expect(repeated[1]).toEqual(later));
  kept.close();
});

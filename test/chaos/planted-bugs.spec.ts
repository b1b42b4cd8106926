import { describe, expect, it } from '@jest/globals';
import { SCRIPT_FLAWS, UnfencedRepeats } from './flaws.js';
import type { Flaw, LocalNodeOptions } from './local-node.js';
import { Scene } from './scene.js';
import * as scenes from './scenes.js';

interface Planted {
  readonly bug: string;
  readonly scene: (scene: Scene) => Promise<void>;
  readonly flaw: () => Flaw;
  /** The checkers' finding. */
  readonly found: RegExp;
  readonly options?: () => Pick<LocalNodeOptions, 'ledger' | 'replicas'>;
}

/** Bugs that were easy to make; the product has no switch for them, the test gives nodes patched scripts. */
const PLANTED: readonly Planted[] = [
  {
    bug: 'no dedupe',
    scene: scenes.resendElsewhere,
    flaw: () => ({ scripts: SCRIPT_FLAWS.noDedupe() }),
    found: /effect twice/,
  },
  {
    bug: "a repeat is left out, its batch's document is kept",
    scene: scenes.resendElsewhere,
    flaw: () => ({ scripts: SCRIPT_FLAWS.keepsBatchDocument() }),
    found: /state differs from the log/,
  },
  {
    bug: 'an error is answered before the record was asked',
    scene: scenes.resendElsewhere,
    flaw: () => ({ answersErrorsAtOnce: true }),
    found: /effect of a command that was answered with an error/,
    options: () => ({ ledger: new Map() }),
  },
  {
    bug: 'the version of a document is a number without its epoch',
    scene: scenes.twoBranches,
    flaw: () => ({ scripts: SCRIPT_FLAWS.bareVersion() }),
    found: /state differs from the log/,
  },
  {
    bug: 'an epoch that never changes',
    scene: scenes.lostTail,
    flaw: () => ({ scripts: SCRIPT_FLAWS.staticEpoch() }),
    found: /acknowledged but not there|did not settle/,
  },
  {
    bug: 'an epoch that is named and not stored',
    scene: scenes.lostTail,
    flaw: () => ({ scripts: SCRIPT_FLAWS.mintsWithoutStoring() }),
    found: /had to begin anew/,
  },
  {
    bug: 'number 1 after its session and its record have gone',
    scene: scenes.endedSession,
    flaw: () => ({ scripts: SCRIPT_FLAWS.judgesEndedSession() }),
    found: /after its session/,
  },
  {
    bug: 'publish before write',
    scene: scenes.refusedLog,
    flaw: () => ({ scripts: SCRIPT_FLAWS.publishesBeforeWriting() }),
    found: /gap or repeat in what a client saw|saw what is not in the log/,
  },
  {
    bug: 'a trimmed log served as whole',
    scene: scenes.forgottenLog,
    flaw: () => ({ scripts: SCRIPT_FLAWS.servesTrimmedLog() }),
    found: /gap or repeat in what a client saw/,
  },
  {
    bug: 'a durable repeat without a fence',
    scene: scenes.unfencedRepeat,
    flaw: () => ({ store: (store) => new UnfencedRepeats(store) }),
    found: /that no replica has/,
    options: () => ({ replicas: 1 }),
  },
  {
    bug: 'the driver sends again what was not answered',
    scene: scenes.lostVolatileReply,
    flaw: () => ({ resends: true }),
    found: /came twice/,
  },
];

describe('planted bugs', () => {
  it.each(PLANTED)('are found: $bug', async ({ scene, flaw, found, options }) => {
    const problems = await Scene.play(scene, { ...options?.(), flaw: flaw() });
    expect(problems.join('\n')).toMatch(found);
  });

  it.each(PLANTED)('and nothing is found without: $bug', async ({ scene, options }) => {
    expect(await Scene.play(scene, { ...options?.() })).toEqual([]);
  });
});

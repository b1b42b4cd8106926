import Sequencer from '@jest/test-sequencer';
import { shown } from './needs.mjs';
import { prepare } from './preparation.mjs';
import { longestFirst } from './weights.mjs';

/**
 * Jest asks it for the order of the chosen specs before each run, in watch mode too, so it is also the place that
 * knows what they need: the build, Redis, a browser.
 */
export default class PreparedSequencer extends Sequencer {
  #isList;

  constructor(options) {
    super(options);
    this.#isList = options.globalConfig.listTests;
  }

  async sort(tests) {
    if (!this.#isList && tests.length > 0) await prepare(tests.map(({ path }) => path));
    const sorted = super.sort(tests);
    const isTimed = sorted.every((test) => this.time(test) !== undefined);
    return isTimed ? sorted : longestFirst(sorted, ({ path }) => shown(path));
  }
}

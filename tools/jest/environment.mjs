import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import NodeEnvironment from 'jest-environment-node';
import { claimPorts } from './ports.mjs';

/** `libs/testing/src/lifetimes.ts` enters what a test starts here. */
const LIFETIMES = Symbol.for('wss.testing.lifetimes');
/** `libs/testing/src/network/free-port.ts` takes ports from here. */
const PORTS = Symbol.for('wss.testing.ports');
/** Those of this worker, for all of its specs. */
const ports = claimPorts();
/** How long one of them may take to end, ms. */
const END_WITHIN_MS = 10_000;
/** Kinds of resources that keep a run from ending, and how long they may go on after the last hook, ms. */
const ENDLESS = ['Timeout', 'TCPServerWrap', 'TCPSocketWrap'];
const GOES_ON_MS = 2_000;

/**
 * Jest's environment for Node, which also ends what a spec left: servers, clients, processes and clusters that
 * `@wss/testing` started. A spec that left something though its tests passed fails, with the places that started it.
 */
export default class EndingEnvironment extends NodeEnvironment {
  #spec;
  #failed = false;
  #before = countEndless();

  constructor(config, context) {
    super(config, context);
    this.#spec = relative(config.globalConfig.rootDir, context.testPath);
    this.global[LIFETIMES] = new Set();
  }

  async setup() {
    await super.setup();
    this.global[PORTS] = await ports;
  }

  async handleTestEvent(event, state) {
    if (event.name === 'test_done' && event.test.errors.length > 0) this.#failed = true;
    if (event.name !== 'run_finish') return;
    await this.#endLifetimes(state);
    await this.#nameTheRest();
  }

  /** Some end by themselves a moment later, such as the clients of a server that has just gone. */
  async #endLifetimes(state) {
    const deadline = performance.now() + GOES_ON_MS;
    while (this.global[LIFETIMES].size > 0 && performance.now() < deadline) await pause(20);
    const left = [...this.global[LIFETIMES]].reverse();
    if (left.length === 0) return;
    const ends = await Promise.all(left.map(endOf));
    const message = `${this.#spec} left what it started; the run ended it:\n${ends.join('\n')}`;
    if (this.#failed || state.unhandledErrors.length > 0) process.stderr.write(`wss: ${message}\n`);
    else state.unhandledErrors.push(new Error(`${message}\nEnd it in afterEach, afterAll or finally.`));
  }

  /** Timers and sockets that the spec's own code left: they would keep the run from ending. */
  async #nameTheRest() {
    const deadline = performance.now() + GOES_ON_MS;
    for (;;) {
      const now = countEndless();
      const more = ENDLESS.filter((kind) => now[kind] > this.#before[kind]);
      if (more.length === 0) return;
      if (performance.now() > deadline) {
        const what = more.map((kind) => `${now[kind] - this.#before[kind]} × ${kind}`).join(', ');
        process.stderr.write(`wss: ${this.#spec} left ${what}\n`);
        return;
      }
      await pause(20);
    }
  }
}

function countEndless() {
  const all = process.getActiveResourcesInfo();
  return Object.fromEntries(ENDLESS.map((kind) => [kind, all.filter((each) => each === kind).length]));
}

/** Ends a lifetime, and says what it was. */
async function endOf({ what, place, end }) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, END_WITHIN_MS, ` (did not end within ${END_WITHIN_MS / 1_000} s)`);
  });
  const ended = Promise.resolve()
    .then(end)
    .then(
      () => '',
      (error) => ` (did not end in order: ${error?.message ?? error})`,
    );
  const how = await Promise.race([ended, late]);
  clearTimeout(timer);
  return `  ${what}${how}, started ${place}`;
}

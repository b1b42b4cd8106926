import { say } from '../../scripts/lib/project.mjs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { coreShares, coreTimeOf, rssOf, takeTurns } from './figures.mjs';
import { Witness } from './witness.mjs';

/** A node is done in this time with what a flood left behind. */
const SETTLE_MS = 400;

/** The node, the witness, the flooder and the sink. */
export class Scene {
  #turns;
  #windowMs;
  #flooder = fork(new URL('flooder.mjs', import.meta.url));
  #sink = fork(new URL('sink.mjs', import.meta.url));
  #cluster;
  #witness;
  #pid;

  /**
   * @param turns the socket on which the node tells of its turns, see turns.mjs
   * @param windowMs how long each side of a round is measured
   */
  constructor(turns, windowMs) {
    this.#turns = turns;
    this.#windowMs = windowMs;
  }

  async start() {
    const { GatewayCluster } = await import('../../dist/libs/testing/src/index.js');
    const hook = new URL('turns.mjs', import.meta.url);
    const env = {
      HOSTILE_TURNS: this.#turns,
      NODE_OPTIONS: `--import ${hook} ${process.env.HOSTILE_NODE_OPTIONS ?? ''}`,
    };
    const said = [this.#flooder, this.#sink].map((child) => once(child, 'message'));
    this.#cluster = await GatewayCluster.start({ nodes: 1, env });
    this.#pid = this.#node.pid;
    const [[{ kinds }], [sinkPort]] = await Promise.all(said);
    Object.assign(this, { kinds, sinkPort });
    this.#witness = await Witness.connect(this.#node.url);
    // The node's code becomes fast first.
    await this.#witness.measure(3_000);
  }

  get #node() {
    return this.#cluster.nodes[0];
  }

  async against(kind, rounds) {
    const sides = { quiet: [], flooded: [], beside: [] };
    const told = { bytes: 0, ends: {} };
    const rss = rssOf(this.#pid);
    let most = rss;
    const watch = setInterval(() => (most = Math.max(most, rssOf(this.#pid))), 100);
    for (let round = 0; round < rounds; round++) {
      sides.quiet.push(await this.window());
      const flood = await this.flooded(kind, this.#node.port);
      sides.flooded.push(flood);
      add(told, flood.told);
      this.#sink.send((flood.told.bytes * 1_000) / flood.lasted);
      await once(this.#sink, 'message');
      sides.beside.push(await this.flooded(kind, this.sinkPort));
    }
    clearInterval(watch);
    return { sides, told, rss, most };
  }

  async flooded(kind, port) {
    const startedAt = performance.now();
    this.#flooder.send({ kind, port });
    const window = await this.window();
    this.#flooder.send('stop');
    const [told] = await once(this.#flooder, 'message');
    const lasted = performance.now() - startedAt;
    await delay(SETTLE_MS);
    return { ...window, told, lasted };
  }

  async window() {
    await takeTurns(this.#turns);
    const [startedAt, before] = [performance.now(), coreTimeOf(this.#pid)];
    const times = await this.#witness.measure(this.#windowMs);
    const node = coreShares(before, coreTimeOf(this.#pid), performance.now() - startedAt);
    return { times, node, turns: await takeTurns(this.#turns) };
  }

  async tellEnd() {
    const [witness, node] = [this.#witness, this.#node];
    // A reply may come before its event.
    for (let tries = 0; witness.missing > 0 && tries < 50; tries++) await delay(100);
    say(`the witness missed ${witness.missing} events, ${witness.faults} came out of order`);
    say(`the node is ${node.pid}, as in the beginning ${this.#pid}: ${await node.readiness()}`);
  }

  async stop() {
    this.#witness?.end();
    this.#flooder.kill('SIGKILL');
    this.#sink.kill('SIGKILL');
    await this.#cluster?.stop();
  }
}

function add(sum, { bytes, ends, failed }) {
  sum.bytes += bytes;
  for (const [how, count] of Object.entries(ends)) sum.ends[how] = (sum.ends[how] ?? 0) + count;
  if (failed) sum.failed = failed;
}

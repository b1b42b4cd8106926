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
  static async start(turns, ms) {
    const scene = new Scene();
    Object.assign(scene, { turns, ms });
    const { GatewayCluster } = await import('../../dist/libs/testing/src/index.js');
    const hook = new URL('turns.mjs', import.meta.url);
    const env = {
      HOSTILE_TURNS: turns,
      NODE_OPTIONS: `--import ${hook} ${process.env.HOSTILE_NODE_OPTIONS ?? ''}`,
    };
    scene.cluster = await GatewayCluster.start({ nodes: 1, env });
    [scene.node] = scene.cluster.nodes;
    scene.pid = scene.node.pid;
    [scene.flooder, scene.sink] = ['flooder', 'sink'].map((name) =>
      fork(new URL(`${name}.mjs`, import.meta.url)),
    );
    const [[{ kinds }], [sinkPort]] = await Promise.all([
      once(scene.flooder, 'message'),
      once(scene.sink, 'message'),
    ]);
    Object.assign(scene, { kinds, sinkPort });
    scene.witness = await Witness.connect(scene.node.url);
    // The node's code becomes fast first.
    await scene.witness.measure(3_000);
    return scene;
  }

  async against(kind, rounds) {
    const sides = { quiet: [], flooded: [], beside: [] };
    const told = { bytes: 0, ends: {} };
    const rss = rssOf(this.pid);
    let most = rss;
    const watch = setInterval(() => (most = Math.max(most, rssOf(this.pid))), 100);
    for (let round = 0; round < rounds; round++) {
      sides.quiet.push(await this.window());
      const flood = await this.flooded(kind, this.node.port);
      sides.flooded.push(flood);
      add(told, flood.told);
      this.sink.send((flood.told.bytes * 1_000) / flood.lasted);
      await once(this.sink, 'message');
      sides.beside.push(await this.flooded(kind, this.sinkPort));
    }
    clearInterval(watch);
    return { sides, told, rss, most };
  }

  async flooded(kind, port) {
    const startedAt = performance.now();
    this.flooder.send({ kind, port });
    const window = await this.window();
    this.flooder.send('stop');
    const [told] = await once(this.flooder, 'message');
    const lasted = performance.now() - startedAt;
    await delay(SETTLE_MS);
    return { ...window, told, lasted };
  }

  async window() {
    await takeTurns(this.turns);
    const [startedAt, before] = [performance.now(), coreTimeOf(this.pid)];
    const times = await this.witness.measure(this.ms);
    const node = coreShares(before, coreTimeOf(this.pid), performance.now() - startedAt);
    return { times, node, turns: await takeTurns(this.turns) };
  }

  async tellEnd() {
    const { witness, node } = this;
    // A reply may come before its event.
    for (let tries = 0; witness.missing > 0 && tries < 50; tries++) await delay(100);
    say(`the witness missed ${witness.missing} events, ${witness.faults} came out of order`);
    say(`the node is ${node.pid}, as in the beginning ${this.pid}: ${await node.readiness()}`);
  }

  async stop() {
    this.witness.end();
    this.flooder.kill('SIGKILL');
    this.sink.kill('SIGKILL');
    await this.cluster.stop();
  }
}

function add(sum, { bytes, ends, failed }) {
  sum.bytes += bytes;
  for (const [how, count] of Object.entries(ends)) sum.ends[how] = (sum.ends[how] ?? 0) + count;
  if (failed) sum.failed = failed;
}

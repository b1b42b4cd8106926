import { hostsOf, urlOf } from './addresses.mjs';
import { Front } from './front.mjs';
import { KeptNode } from './kept-node.mjs';
import { GatewayNode, nodeEnvironment } from './node.mjs';
import { portOf } from './ports.mjs';
import { Progress } from './progress.mjs';
import { erase, Failure, say } from './project.mjs';
import { fit } from './run.mjs';

/** Nodes behind one address on this machine. It keeps their number: one that ends is made again. */
export class LocalCluster {
  front = new Front();
  /** The present facts of each node, by its number from 1. */
  facts = new Map();
  nodes = [];

  /** @param options count, port (of the front; the nodes have the next ones), folder (the build), redis (the URL of one that was
   *   started for the cluster; else the environment names one) */
  constructor(options) {
    this.options = options;
    this.env = nodeEnvironment();
    this.managementPort = portOf('MANAGEMENT_PORT');
  }

  /**
   * Runs until {@link stop}.
   * @returns the exit code
   * @throws Failure when a node can't start at all, or nothing is left that serves
   */
  async run() {
    const { count, port } = this.options;
    if (this.isStopping) return 0;
    await this.front.listen(port, hostsOf(this.env));
    this.progress = new Progress(`starting ${count} nodes`);
    if (!this.isStopping) for (let number = 1; number <= count; number++) this.nodes.push(this.start(number));
    try {
      const codes = await Promise.all(this.nodes.map(({ over }) => over));
      if (this.failure) throw this.failure;
      if (!this.isStopping) throw new Failure('no node is left.', 'see the messages above.');
      return Math.max(0, ...codes);
    } finally {
      this.progress.end();
      this.front.close();
    }
  }

  /** Ends all nodes in order; called again, it hurries them. */
  stop(signal = 'SIGTERM') {
    this.isStopping = true;
    this.front.stopListening();
    for (const node of this.nodes) node.stop(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  }

  /** Without Redis the nodes serve nobody. */
  lostRedis() {
    if (!this.isStopping) this.fail(new Failure('redis-server has ended.', 'start the cluster again.'));
  }

  start(number) {
    return new KeptNode({
      make: () => new GatewayNode(this.options.folder, this.envOf(number), (line) => print(number, line)),
      front: this.front,
      onReady: (facts) => this.ready(number, facts),
      onEnd: (pid, code, pauseMs) => this.ended(number, { pid, code, pauseMs }),
    });
  }

  /** Clients come through the front, so a node need not be reached from elsewhere. */
  envOf(number) {
    const SERVER_PORT = String(this.options.port + number);
    const redis = this.options.redis && { REDIS_SERVER: this.options.redis };
    const own = { ...redis, SERVER_HOST: '127.0.0.1', SERVER_PORT };
    const management = this.managementPort && { MANAGEMENT_PORT: String(this.managementPort + number - 1) };
    return { ...this.env, ...own, ...management };
  }

  ready(number, facts) {
    this.facts.set(number, facts);
    const { pid, nodeId, url } = facts;
    if (this.isSummed) say(`node ${number} is back: pid ${pid}, node id ${nodeId}, ${url}`);
    else if (this.facts.size === this.options.count) this.sumUp();
  }

  ended(number, { pid, code, pauseMs }) {
    const how = `node ${number} (pid ${pid}) ${endOf(code)}`;
    if (pauseMs !== undefined) {
      return say(`${how}; it is made again ${pauseMs > 0 ? `in ${pauseMs / 1_000} s` : 'at once'}`);
    }
    const remedy = 'see its last lines above; mend that and start the cluster again.';
    if (!this.facts.has(number)) this.fail(new Failure(`${how} before it was ready.`, remedy));
    else say(`${how} and does not get ready any more: it is given up\n  Remedy: ${remedy}`);
  }

  fail(failure) {
    this.failure ??= failure;
    this.stop();
  }

  /** Redis as it may be shown: without a password. */
  redis() {
    const { REDIS_SERVER, REDIS_SERVER_FILE } = this.env;
    const given = REDIS_SERVER?.replace(/\/\/[^/]*@/, '//…@') ?? `as ${REDIS_SERVER_FILE} says`;
    return this.options.redis ?? given;
  }

  sumUp() {
    this.isSummed = true;
    this.progress.end();
    const rows = [...this.facts].sort(([a], [b]) => a - b);
    const lines = rows.map(([number, { pid, nodeId, url }]) => row(number, pid, nodeId, url));
    const url = urlOf(hostsOf(this.env)[0], this.options.port);
    const text = [
      `the cluster is ready: ${url}`,
      '',
      row('node', 'pid', 'node id', 'URL'),
      ...lines,
      '',
      `  Redis  ${this.redis()}`,
      '',
      '  Clients of a node that ends go to the others, and it is made again: try kill -9. Ctrl-C ends all.',
    ];
    say(text.join('\n'));
  }
}

function row(number, pid, nodeId, url) {
  return `  ${String(number).padEnd(6)} ${String(pid).padEnd(8)} ${nodeId.padEnd(9)} ${url}`;
}

function endOf(code) {
  return code > 128 ? `was ended by signal ${code - 128}` : `ended with code ${code}`;
}

function print(number, line) {
  erase();
  process.stdout.write(`${number} | ${fit(line)}\n`);
}

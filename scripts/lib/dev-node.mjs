import { FrontTarget } from './front-target.mjs';
import { GrowingPause } from './growing-pause.mjs';
import { GatewayNode } from './node.mjs';
import { erase, say } from './project.mjs';
import { fit } from './run.mjs';

/**
 * The node of `npm run dev`, replaced at every change. The old one ends before the new one starts; meanwhile the front
 * holds new connections. One that served and ended by itself is made again; one that did not get so far waits for the
 * next change.
 */
export class DevNode {
  /** @param options folder (the build), env (of the node), front, and the front's url */
  constructor(options) {
    this.options = options;
    this.turn = Promise.resolve();
    this.pause = new GrowingPause();
  }

  /** Requests that come while a node stops are met by one start. */
  restart() {
    clearTimeout(this.timer);
    const request = (this.latest = Symbol());
    this.turn = this.turn.then(() => this.replace(request));
  }

  tellErrors() {
    const running = this.node?.isRunning ?? false;
    say(running ? 'type errors: the former node goes on serving' : 'type errors: mend them to start a node');
  }

  async stop() {
    this.latest = undefined;
    clearTimeout(this.timer);
    await this.turn;
    await this.end();
  }

  async replace(request) {
    if (request !== this.latest) return;
    await this.end();
    if (request !== this.latest) return;
    const startedAt = performance.now();
    this.readyAt = undefined;
    say(this.node ? 'restarting the node …' : 'starting a node …');
    const { folder, env } = this.options;
    // Its port is its own affair: clients come through the front, from wherever that may be reached.
    const own = { ...env, SERVER_HOST: '127.0.0.1', SERVER_PORT: '0' };
    const node = (this.node = new GatewayNode(folder, own, print));
    void node.ready.then((ready) => ready && this.serve(node, ready, startedAt));
    void node.exited.then((code) => this.ended(node, code));
  }

  serve(node, { port, nodeId }, startedAt) {
    if (node !== this.node || this.isEnding) return;
    this.readyAt = performance.now();
    this.target = new FrontTarget(port);
    this.options.front.add(this.target);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    say(`ready in ${seconds} s: ${this.options.url} (node ${nodeId}, pid ${node.pid})`);
  }

  ended(node, code) {
    if (node !== this.node || this.isEnding) return;
    this.options.front.remove(this.target);
    const how = `the node ended with code ${code}`;
    if (this.readyAt === undefined) return say(`${how}; it starts again at the next change`);
    const pauseMs = this.pause.next(performance.now() - this.readyAt);
    const lost = this.losesData(code) ? ', without its data' : '';
    say(`${how}; it starts again ${pauseMs > 0 ? `in ${pauseMs / 1_000} s` : 'at once'}${lost}`);
    this.timer = setTimeout(() => this.restart(), pauseMs);
  }

  /** Redis keeps the data whatever becomes of a node; a file only when the node ends in order. */
  losesData(code) {
    const { REDIS_SERVER, REDIS_SERVER_FILE, ENGINE_FILE } = this.options.env;
    return !REDIS_SERVER && !REDIS_SERVER_FILE && !(ENGINE_FILE && code === 0);
  }

  async end() {
    this.isEnding = true;
    this.options.front.remove(this.target);
    await this.node?.stop();
    this.isEnding = false;
  }
}

function print(line) {
  erase();
  process.stdout.write(`${fit(line)}\n`);
}

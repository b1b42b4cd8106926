import { once } from 'node:events';
import { createServer } from 'node:net';
import { HeldClient } from './held-client.mjs';

const HOLD_MS = 20_000;
const MOST_HELD = 1_000;
/** As the nodes have it: all clients of a lost node connect at once. */
const BACKLOG = 4_096;
/** A machine without IPv6 has no such address. */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * One address for several nodes, or for one that is replaced. Every TCP connection goes to the node with the fewest
 * among those that take clients now (`/health/ready`), and to the next if that one can't be reached; nothing of the
 * client is sent before. While no node takes clients, connections are held.
 */
export class Front {
  targets = new Set();
  servers = [];
  clients = new Set();
  /** Calls the held clients when a node may take them. */
  held = new Set();
  /** How often a node became ready. */
  changes = 0;

  /**
   * @param holdMs how long a connection is held at most, ms; shorter than clients wait for an answer. Default 20,000.
   * @param mostHeld connections that are held at a time; more are refused with 503. Default 1,000.
   */
  constructor({ holdMs = HOLD_MS, mostHeld = MOST_HELD } = {}) {
    this.holdMs = holdMs;
    this.mostHeld = mostHeld;
  }

  /**
   * Listens on the first address, and on the others that this machine has.
   * @throws Error `EADDRINUSE` when the port is taken
   */
  async listen(port, [first, ...others]) {
    await this.listenOn(port, first);
    for (const host of others) {
      await this.listenOn(port, host).catch((error) => {
        if (!ABSENT.has(error.code)) throw error;
      });
    }
  }

  /** Leads clients to a node from now on. */
  add(target) {
    this.targets.add(target);
    target.watch(() => this.changed());
    this.changed();
  }

  /** Leads no more clients to a node; those that it has stay. */
  remove(target) {
    if (target && this.targets.delete(target)) target.forget();
  }

  /** Takes no more connections; those that are there stay. */
  stopListening() {
    for (const server of this.servers.splice(0)) server.close();
  }

  /** Ends everything. */
  close() {
    this.stopListening();
    for (const target of this.targets) this.remove(target);
    for (const client of this.clients) client.destroy();
  }

  async listenOn(port, host) {
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true });
    server.on('connection', (socket) => void this.lead(socket));
    server.listen({ port, host, backlog: BACKLOG });
    await once(server, 'listening');
    this.servers.push(server);
  }

  async lead(socket) {
    this.clients.add(socket);
    socket.once('close', () => this.clients.delete(socket));
    const client = new HeldClient(socket);
    const until = performance.now() + this.holdMs;
    while (!client.isGone) {
      const seen = this.changes;
      const upstream = await this.reach(client);
      if (upstream) return client.join(upstream);
      if (seen === this.changes && !(await this.hold(client, until))) return client.refuse();
    }
  }

  async reach(client) {
    const tried = new Set();
    while (!client.isGone) {
      const target = this.nextTarget(tried);
      if (!target) return undefined;
      tried.add(target);
      const upstream = await target.connect();
      if (upstream) return upstream;
    }
    return undefined;
  }

  nextTarget(tried) {
    let next;
    for (const target of this.targets) {
      if (!target.isUp || tried.has(target)) continue;
      if (!next || target.connections < next.connections) next = target;
    }
    return next;
  }

  /** @returns false if the client can't be held any longer */
  hold(client, until) {
    const leftMs = until - performance.now();
    if (leftMs <= 0 || this.held.size >= this.mostHeld) return false;
    return new Promise((resolve) => {
      const release = (mayGoOn) => {
        clearTimeout(timer);
        forget();
        this.held.delete(release);
        resolve(mayGoOn);
      };
      const timer = setTimeout(() => release(false), leftMs);
      const forget = client.onGone(() => release(true));
      this.held.add(release);
    });
  }

  changed() {
    this.changes++;
    for (const release of [...this.held]) release(true);
  }
}

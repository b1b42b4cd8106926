import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { entered } from '../lifetimes.js';
import { eventually } from '../waiting/eventually.js';
import { freePort } from './free-port.js';
import { TcpConnection, type ConnectionRules } from './tcp-connection.js';

/**
 * Treatment of bytes by a {@link TcpProxy}. Requests go from the connecting side to the target, replies back.
 *
 * - `pass`: hands everything on.
 * - `cut`: resets all connections and refuses new ones.
 * - `mute`: swallows both directions; connections stay open, new ones are accepted, and no end reaches the other side.
 * - `muteRequests`: swallows requests only.
 * - `dropReplies`: swallows replies only: what was asked is done, and nobody learns of it.
 */
export type ProxyMode = 'pass' | 'cut' | 'mute' | 'muteRequests' | 'dropReplies';

/** Where a {@link TcpProxy} leads. */
export interface TcpProxyOptions {
  /** Port of 127.0.0.1. */
  readonly to: number;
}

const PORT_ATTEMPTS = 5;

/** How long a proxy waits for its port, ms in which this process runs: others that look for a free one may have it for a moment. */
const PORT_WITHIN_MS = 20_000;
const PORT_EVERY_MS = 20;

/**
 * A TCP proxy on 127.0.0.1 that a test puts between a node and Redis to disturb the link. Bytes are never reordered
 * or changed: they pass, wait or vanish. A connection that lost bytes never carries any again in that direction.
 */
export class TcpProxy {
  /** Port that new connections lead to; existing ones stay where they are until {@link cutNow}. */
  target: number;
  /** Delay of each direction, milliseconds, for bytes that arrive from now on; default 0. */
  latencyMs = 0;
  /** Bandwidth of all replies together, bytes a second; default no limit. */
  replyRate = Infinity;

  private currentMode: ProxyMode = 'pass';
  private readonly open = new Set<TcpConnection>();
  private accepted = 0;
  /** Connections up to this one get no more replies. */
  private deafUntil = 0;
  /** When the line has passed all replies that came until now, ms on the steady clock. */
  private busyUntil = 0;
  private readonly released: () => void;

  private constructor(
    /** Where nodes connect to; stays the same in all modes. */
    readonly port: number,
    private server: Server,
    target: number,
  ) {
    this.target = target;
    this.released = entered(`TcpProxy on port ${port}`, () => this.stop());
    this.serve(server);
  }

  /** Starts a proxy in the mode `pass`. The target need not run yet. */
  static async start({ to }: TcpProxyOptions): Promise<TcpProxy> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        return new TcpProxy(port, await listen(port), to);
      } catch (error) {
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  /** `redis://127.0.0.1:<port>`, for a node's `REDIS_SERVER`. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get mode(): ProxyMode {
    return this.currentMode;
  }

  /** Connections that still exist on either side. */
  get connections(): number {
    return this.open.size;
  }

  /**
   * Switches what happens to every byte that was not handed on yet. A connection that lost bytes of a direction that
   * is not mute any more is reset: what followed would be taken for something else, a reply for another command's.
   */
  async setMode(mode: ProxyMode): Promise<void> {
    const before = this.currentMode;
    this.currentMode = mode;
    if (mode === 'cut') {
      this.server.close();
      this.cutNow();
    } else if (before === 'cut') {
      this.server = await listenAgain(this.port);
      this.serve(this.server);
    }
    this.reset((connection) => connection.broken);
  }

  /** Resets the connections of this moment, once; new ones are welcome. */
  cutNow(): void {
    this.reset(() => true);
  }

  /** Swallows the replies of the connections of this moment, for ever; new ones are as the mode says. */
  deafenNow(): void {
    this.deafUntil = this.accepted;
  }

  /** Resets all connections and listens no more. */
  async stop(): Promise<void> {
    this.released();
    this.cutNow();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private serve(server: Server): void {
    server.on('connection', (near: Socket) => {
      const far = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      const rules = this.rulesOf(++this.accepted);
      const connection = new TcpConnection(near, far, rules, () => this.open.delete(connection));
      this.open.add(connection);
    });
  }

  private rulesOf(connection: number): ConnectionRules {
    const latencyMs = (): number => this.latencyMs;
    return {
      requests: { latencyMs, swallows: () => this.isMode('mute', 'muteRequests') },
      replies: {
        latencyMs,
        passMs: (bytes) => this.passMs(bytes),
        swallows: () => connection <= this.deafUntil || this.isMode('mute', 'dropReplies'),
      },
    };
  }

  private passMs(bytes: number): number {
    if (this.replyRate === Infinity) return 0;
    const now = performance.now();
    this.busyUntil = Math.max(now, this.busyUntil) + (bytes * 1_000) / this.replyRate;
    return this.busyUntil - now;
  }

  private reset(which: (connection: TcpConnection) => boolean): void {
    for (const connection of this.open) if (which(connection)) connection.reset();
  }

  private isMode(...modes: readonly ProxyMode[]): boolean {
    return modes.includes(this.currentMode);
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function listenAgain(port: number): Promise<Server> {
  return eventually(() => listen(port), { withinMs: PORT_WITHIN_MS, everyMs: PORT_EVERY_MS });
}

import { Logger } from '@nestjs/common';
import { GrowingPause, kindOf, LogGate } from '@wss/protocol';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { ConnectionNotes } from '../sessions/session-keeper.js';
import type { SessionConnection } from '../sessions/session-store.js';
import type { WaitingLimit, WaitingStore } from './waiting-store.js';

/** How long sessions of a node without a lease are left alone, ms. */
export const WAITING_REST_MS = 600_000;
/** How often such sessions of a user are looked for, ms, at most. */
export const WAITING_SCAN_MS = 60_000;
/** Notes under way at once. */
const AT_ONCE = 16;
/** Most notes that wait while the engine is out of reach; of more the oldest are dropped. */
const MOST_WAITING = 100_000;
/** How long the list of live nodes is believed, ms. */
const ALIVE_MS = 1_000;

/** Dependencies and settings of {@link WaitingSessions}. */
export interface WaitingSessionsOptions {
  readonly store: WaitingStore;
  readonly nodeId: string;
  readonly registry: Pick<NodeRegistry, 'alive'>;
  /**
   * Ends a session unless it has another connection since.
   * @returns true if this call ended it
   */
  readonly drop: (connection: SessionConnection) => Promise<boolean>;
  readonly limit: WaitingLimit;
}

interface Note {
  readonly connection: SessionConnection;
  readonly isConnected: boolean;
}

/**
 * Bounds the sessions of a user that have no connection, over all nodes: of more, those that lost it longest ago end. None
 * that is connected ends, whatever was noted: a session is ended by the generation of the connection that it lost, which
 * a resume raises in the same record.
 *
 * The newest note of a session is repeated until it has arrived. Sessions of a node that died are found when their user
 * next comes, a minute later at the latest, and are ended no sooner than ten minutes after that. Notes that a node had not
 * sent when it died are lost: these sessions end by their time.
 */
export class WaitingSessions implements ConnectionNotes {
  /** Sessions that were ended. */
  ended = 0;
  private readonly faults = new LogGate((line) => new Logger('Sessions').warn(line));
  /** The newest note of each session that is to be sent. */
  private readonly notes = new Map<string, Note>();
  private readonly underWay = new Set<string>();
  private readonly pause = new GrowingPause({ firstMs: 100, mostMs: 5_000 });
  private timer?: NodeJS.Timeout | undefined;
  private closed = false;
  private known?: { readonly nodes: Promise<readonly string[]>; readonly at: number };

  constructor(private readonly options: WaitingSessionsOptions) {}

  connected(connection: SessionConnection): void {
    this.note(connection, true);
  }

  lost(connection: SessionConnection): void {
    this.note(connection, false);
  }

  /** Forgets what is noted of a session that has ended. */
  async forget({ id, user }: Pick<SessionConnection, 'id' | 'user'>): Promise<void> {
    await this.options.store.forget({ id, user, generation: Number.MAX_SAFE_INTEGER });
  }

  /** Notes that are to be sent or under way. */
  get pending(): number {
    return this.notes.size + this.underWay.size;
  }

  /** Sends no more notes. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private note({ id, user, generation }: SessionConnection, isConnected: boolean): void {
    const newest = this.notes.get(id);
    if (newest && newest.connection.generation > generation) return;
    this.notes.delete(id);
    this.notes.set(id, { connection: { id, user, generation }, isConnected });
    for (const [oldest] of this.notes) {
      if (this.notes.size <= MOST_WAITING) break;
      this.notes.delete(oldest);
    }
    if (!this.timer) this.start();
  }

  private start(): void {
    for (const [id, note] of this.notes) {
      if (this.closed || this.underWay.size >= AT_ONCE) return;
      if (this.underWay.has(id)) continue;
      this.notes.delete(id);
      void this.send(id, note);
    }
  }

  private async send(id: string, note: Note): Promise<void> {
    this.underWay.add(id);
    try {
      await this.endAll(await this.tell(note));
      this.pause.reset();
    } catch (error) {
      if (!this.notes.has(id)) this.notes.set(id, note);
      this.later(error);
    } finally {
      this.underWay.delete(id);
    }
    if (!this.timer) this.start();
  }

  private async tell({ connection, isConnected }: Note): Promise<readonly SessionConnection[]> {
    const { store, nodeId, limit } = this.options;
    const node = isConnected ? nodeId : undefined;
    const over = await store.note(connection, node, limit);
    if (over !== 'alive') return over;
    const again = await store.note(connection, node, limit, await this.alive());
    return again === 'alive' ? [] : again;
  }

  private async endAll(over: readonly SessionConnection[]): Promise<void> {
    for (const connection of over) {
      if (await this.options.drop(connection)) this.ended++;
      await this.options.store.forget(connection);
    }
  }

  private async alive(): Promise<readonly string[]> {
    const { nodeId, registry } = this.options;
    if (!this.known || performance.now() - this.known.at > ALIVE_MS) {
      const nodes = registry.alive().then((found) => [nodeId, ...found.map((node) => node.nodeId)]);
      this.known = { nodes, at: performance.now() };
      nodes.catch(() => delete this.known);
    }
    return this.known.nodes;
  }

  private later(error: unknown): void {
    this.faults.report(kindOf(error), 'connections of sessions could not be noted; they are noted again');
    if (this.closed || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.start();
    }, this.pause.next()).unref();
  }
}

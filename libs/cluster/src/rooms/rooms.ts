import type { Type } from '@nestjs/common';
import { Command, eventNameIn, type EventName, GatewayError } from '@wss/core';
import { IsInt, Min } from 'class-validator';
import {
  type CommitOptions,
  type CommitScope,
  type OnceScope,
  type Committer,
  appendWork,
  encodeLogEvent,
  valueOf,
} from '@wss/state';
import type { RedisKeys } from '@wss/redis';
import type { Channels } from '../channels/channels.js';
import { encodeDirect } from '../channels/direct-message.js';
import type { ExportedRoom, RoomExports } from './room-exports.js';
import type { EndingOptions, RemovedSession, RoomEndings } from './room-endings.js';
import type { RoomFeed } from './room-feed.js';

/** Place of a logged event. */
export class Appended {
  /** Its number in the room's log. */
  @IsInt()
  @Min(1)
  readonly seq!: number;
}

/** Work of the node itself that takes effect once under a key, for a user if it names one. */
export type OnceOnly = Pick<OnceScope, 'user'> & { readonly once: string };

/** One room to send to, from any node. */
export interface RoomTarget {
  /**
   * Appends an event to the room's log: every member on every node gets it, in order, once. It is the one commit that
   * the command makes; `'by node'` is for work of the node itself, and `{ once: key }` for such work that is done once for
   * the key: see `StateRepository.update`; event, data and user belong to the key. An event whose class the room's type declares may
   * be named by that class; then the compiler checks the data.
   * @throws GatewayError `unavailable`, `unknown_outcome`, `too_large`; Error for an event that the room's type does
   * not declare while it declares others
   */
  append(
    scope: Command | 'by node' | OnceOnly,
    event: string,
    data?: unknown,
    options?: CommitOptions,
  ): Promise<Appended>;
  append<D extends object>(
    scope: Command | 'by node' | OnceOnly,
    event: Type<D>,
    data: D,
    options?: CommitOptions,
  ): Promise<Appended>;

  /**
   * Sends an event that may be lost and has no number, at the cost of one publication.
   * @throws Error for an event that the room's type does not declare as volatile while it declares others
   */
  volatile(event: string, data?: unknown, options?: { readonly except?: string }): Promise<void>;
  volatile<D extends object>(event: Type<D>, data: D, options?: { readonly except?: string }): Promise<void>;

  /**
   * Ends the memberships of a user, or of one session, on every node. They are told by `$removed {reason}` and see
   * nothing of the room after it; what they have under way there is `forbidden`. Others see the event `$changed`.
   *
   * It takes effect in the room's order, within a second on nodes whose links to Redis are proven, elsewhere before they
   * deliver anything once they are; sessions without a connection are told when they come back. The room's guard
   * decides who may join again, so change what it asks first. A user who is not a member may be removed, too. Removing again does
   * no harm. With replicas it resolves when it survives a failover; else as far as Redis kept it.
   * @returns its place in the room's log
   * @throws GatewayError `invalid`, `not_found` for an undeclared kind of room, `unavailable` (nothing was done; also
   * while a node of a release without removals runs), `unknown_outcome`, with `applied: true` if only the proof failed
   */
  remove(who: string | RemovedSession, options?: EndingOptions): Promise<Appended>;

  /** Like {@link remove}, for all members. The room stays as it is, and whoever its guard lets join may. */
  close(options?: EndingOptions): Promise<Appended>;
}

/** A receiver of events that are sent at most once and kept nowhere. */
export interface DirectTarget {
  send(event: string, data?: unknown): Promise<void>;
}

/** Sends events to rooms, users and clients, wherever they are connected. */
export abstract class Rooms {
  abstract to(room: string): RoomTarget;
  /**
   * Deletes a room: its documents, counters and log go at once, and all memberships end, on every node, as by
   * {@link RoomTarget.remove}. Members are told `$reset` with the reason `deleted`, then `$removed`; their commands under way are
   * `not_found`.
   *
   * The room's next life is empty, in a new epoch; the numbers of its events and of commands go on. Clients join it as
   * any room that is empty, if its guard lets them. The first command of a client begins it, or work of a node with
   * `create: true`; until then other work of nodes is `not_found`. Deleting again, or a room that never was, does no
   * harm. With replicas it resolves when it survives a failover; else as far as Redis kept it.
   * @param options the reason stands in the answers to commands under way, and in the log line
   * @returns its place in the room's log, which was the last one of that life
   * @throws GatewayError as {@link RoomTarget.remove}
   */
  abstract delete(room: string, options?: EndingOptions): Promise<Appended>;
  /**
   * Reads a room as it is at one position, e.g. to hand its data out or to keep it elsewhere: all documents, and the log
   * a part at a time. Commands go on meanwhile; what they change is not in it, and neither are native counters and
   * records of commands. A room that was never used, or is deleted, is empty.
   * @throws GatewayError `not_found` for an undeclared kind of room, `unavailable`
   */
  abstract export(room: string): Promise<ExportedRoom>;
  /** All clients of a user that are connected; those with a session miss nothing that is sent after their `$hello`, while links hold. */
  abstract toUser(user: string): DirectTarget;
  /** One client. */
  abstract toClient(clientId: string): DirectTarget;
  /** Every client of every node. */
  abstract toAll(): DirectTarget;
}

/** {@link Rooms} over the cluster. */
export class ClusterRooms extends Rooms {
  constructor(
    private readonly feed: RoomFeed,
    private readonly committer: Committer,
    private readonly channels: Channels,
    private readonly keys: RedisKeys,
    private readonly endings: RoomEndings,
    private readonly exports: RoomExports,
  ) {
    super();
  }

  to(room: string): RoomTarget {
    return {
      append: async (
        scope: Command | 'by node' | OnceOnly,
        event: EventName,
        data?: unknown,
        options?: CommitOptions,
      ) => {
        const name = eventNameIn(this.committer.eventsOf(room), event, 'logged');
        return this.append(scopeIn(room, scope, name), { event: name, data }, options);
      },
      volatile: async (event: EventName, data?: unknown, { except }: { readonly except?: string } = {}) => {
        const name = eventNameIn(this.committer.eventsOf(room), event, 'volatile');
        const encoded = encodeLogEvent(name, JSON.stringify(data) ?? 'null');
        return this.feed.publishVolatile(room, encoded.event, encoded.data, except);
      },
      remove: async (who, options) => this.endings.end(room, removedOf(who), options),
      close: (options) => this.endings.end(room, {}, options),
    };
  }

  async delete(room: string, options?: EndingOptions): Promise<Appended> {
    return this.endings.end(room, { deleted: true }, options);
  }

  export(room: string): Promise<ExportedRoom> {
    return this.exports.of(room);
  }

  toUser(user: string): DirectTarget {
    return this.direct(this.keys.user(user), '');
  }

  toClient(clientId: string): DirectTarget {
    const nodeId = clientId.slice(0, clientId.lastIndexOf('.'));
    return this.direct(this.keys.clientsOf(nodeId), clientId);
  }

  toAll(): DirectTarget {
    return this.direct(this.keys.everyone, '');
  }

  private direct(channel: string, clientId: string): DirectTarget {
    return {
      send: async (event, data) => {
        const encoded = encodeLogEvent(event, JSON.stringify(data) ?? 'null');
        await this.channels.publish(channel, encodeDirect({ clientId, ...encoded }));
      },
    };
  }

  private async append(
    scope: CommitScope,
    event: { readonly event: string; readonly data: unknown },
    options?: CommitOptions,
  ): Promise<Appended> {
    return valueOf(await this.committer.perform(appendWork(scope, event, options))) as Appended;
  }
}

/** @throws GatewayError `invalid`: a name that is missing must not stand for everybody. */
function removedOf(who: string | RemovedSession): { user: string } | { session: string } {
  if (typeof who === 'string') return { user: who };
  const session: unknown = (who as RemovedSession | undefined)?.session;
  if (typeof session === 'string') return { session };
  throw new GatewayError('invalid', 'name a user, or { session } with the id of a session');
}

function scopeIn(room: string, scope: Command | 'by node' | OnceOnly, event: string): CommitScope {
  if (scope === 'by node') return { room };
  if (!(scope instanceof Command)) return { room, user: scope.user, once: scope.once };
  if (scope.room === room) return scope;
  throw new Error(
    `"${scope.event}" came for another room than it appends "${event}" to; a command commits in its own room`,
  );
}

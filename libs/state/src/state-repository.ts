import type { Type } from '@nestjs/common';
import { Command, GatewayError, type RoomEvents, withReadErrors } from '@wss/core';
import { parseRoomName, type Position } from '@wss/protocol';
import type { CommitScope, Committer } from './commits/committer.js';
import type { DocumentRegistry } from './documents/document-registry.js';
import type { DocumentType } from './documents/document-type.js';
import { seqOf } from './store/log-format.js';
import { valueOf } from './commits/outcomes.js';
import type { RoomStore } from './store/room-store.js';
import { type CommitOptions, updateWork, type UpdateFunction } from './commits/works.js';

/** A document at the time of a read. */
export interface ReadDocument<D> {
  readonly value: D;
  /** Sequence number of the last event of the command that last changed it; 0 if never written. */
  readonly version: number;
  /** The room's position at that time. */
  readonly position: Position;
}

/**
 * One kind of document, in every room of its type: `@InjectState(Board) boards: StateRepository<Board>`.
 *
 * State and events move together: a client that has seen event n can rely on state ≥ n. Any node may write any room;
 * no update is lost. Updates over several rooms are not atomic.
 */
export abstract class StateRepository<D extends object> {
  /**
   * Changes the document of the command's room in one atomic commit, together with the events that the function
   * appends and further documents of the room that it opens (`room.document(Score)`). The function is synchronous and pure: it runs on a copy, and again when others were faster. If the
   * command had been applied before, the recorded result is returned; then the function may run, without effect. An error that it throws is the
   * command's answer and leaves no trace. Objects that it keeps, or puts into the document, can't change the document
   * later.
   *
   * Resolves when it has been applied. A scope without a command (`{ room }`) is for work that the node does by itself.
   * With `{ room, once: key }` it takes effect once for this key, on whatever node it is called, for 24 hours by the engine's clock:
   * a repeat gets the first answer, an error that is final included, also after a failover, which may lose effect and key together.
   * `user` and `body` belong to the key, and so does the document's class: others under the same key are
   * `number_reused`. A key is a text of 1 to 255 characters, a reply has at most 4,096 bytes of JSON (`too_large`), and
   * a room keeps at most 10,000 keys (`rate_limited`, with the wait). After `unknown_outcome` the same call again tells.
   * @throws GatewayError `conflict` after the deadline, `invalid` if a document would break the rules of its class,
   *   `unavailable`, `unknown_outcome`, or the function's error.
   */
  abstract update<R>(scope: CommitScope, update: UpdateFunction<D, R>, options?: CommitOptions): Promise<R>;

  /**
   * Reads the present document; linearizable with every commit. For a command it is read in the command's place:
   * after the commits of earlier commands of the client in this room.
   * @throws GatewayError `unavailable`
   */
  abstract read(scope: CommitScope): Promise<ReadDocument<D>>;
}

/**
 * The shared state of a node's rooms, as the repositories of documents need it. A global module provides it, because
 * modules of documents do not know the node.
 */
export abstract class SharedState {
  abstract readonly store: RoomStore;
  abstract readonly committer: Committer;
  abstract readonly documents: DocumentRegistry;
}

/** The repository of one document class over a store. */
export class RoomStateRepository<D extends object> extends StateRepository<D> {
  /** The declarations of its rooms' type. */
  private declared: { readonly events: RoomEvents | undefined } | undefined;

  constructor(
    readonly type: DocumentType<D>,
    private readonly state: SharedState,
  ) {
    super();
  }

  async update<R>(scope: CommitScope, update: UpdateFunction<D, R>, options?: CommitOptions): Promise<R> {
    this.check(scope.room);
    const { type, state, find } = this;
    this.declared ??= { events: state.committer.eventsOf(scope.room) };
    const { events } = this.declared;
    const work = updateWork(scope, { type, run: update, events, find }, options);
    return valueOf(await state.committer.perform(work)) as R;
  }

  async read(scope: CommitScope): Promise<ReadDocument<D>> {
    this.check(scope.room);
    const { store, committer } = this.state;
    const room = scope.room!;
    if (scope instanceof Command) {
      await scope.inOrder();
      await committer.settled(room);
    }
    const { position, documents } = await withReadErrors(() =>
      store.resume({ room, documents: true, idleTtlMs: committer.idleTtlOf(room) }),
    );
    const stored = documents.get(this.type.name);
    if (!stored) return { value: this.type.create(), version: 0, position };
    return { value: this.type.parse(stored.json), version: seqOf(stored.position), position };
  }

  private readonly find = <O extends object>(type: Type<O>): DocumentType<O> =>
    this.state.documents.find(type, this.type.roomType);

  private check(room: string | undefined): void {
    if (room !== undefined && parseRoomName(room)?.type === this.type.roomType) return;
    throw new GatewayError('invalid', `this needs a room of type "${this.type.roomType}"`, {
      details: [{ path: 'room', message: `must be ${this.type.roomType}:<key>` }],
    });
  }
}

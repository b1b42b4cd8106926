import { applyPatch, type DocumentView, type PatchOperation } from '@wss/protocol';
import { Emitter, type Unsubscribe } from '../values/emitter.js';
import type { WssError } from '../values/errors.js';
import type { Link } from '../connection/link.js';
import { NextTime } from '../connection/requests.js';

/** The change of one document that travels with an event. */
export interface DocumentPatch {
  readonly base: number;
  readonly ops: readonly PatchOperation[];
}

/**
 * A live copy of one document of a room: after the event with number n it equals the document at n. Parts that
 * do not change keep their identity.
 */
export class LiveState<T = unknown> {
  /**
   * True if the document has to be read, or why it can't be; false if the copy equals it.
   * @internal
   */
  lack: boolean | WssError = true;
  /**
   * The value that is shown. Its version is 0 where the room has begun anew, so that a document of any version takes
   * its place.
   * @internal
   */
  view: { version: number; readonly value: unknown } = { version: 0, value: undefined };
  private readonly changes: Emitter<T>;
  private readonly first = new NextTime<T>();

  /**
   * @param room the room, which lives as long as one of its copies is used
   * @internal
   */
  constructor(
    private readonly room: object,
    private readonly link: Link,
    count: (change: number) => void,
  ) {
    this.changes = new Emitter(count);
  }

  /**
   * Resolves with the value when it is up to date; at once, if it is, or if it is only behind the room's events.
   * @throws WssError when the room can't be joined, was left, or has no such document, and when the client was closed
   */
  get ready(): Promise<T> {
    const { lack, first, link } = this;
    if (!lack) return Promise.resolve(this.value!);
    return link.handOut(lack === true ? first.promise : Promise.reject(lack));
  }

  /** The copy; undefined until {@link ready}. The same object until something changes. */
  get value(): T | undefined {
    return this.view.value as T | undefined;
  }

  /** Number of the event that last changed it; 0 if it was never written. */
  get version(): number {
    return this.view.version;
  }

  /** Calls back after each change; with the present value first, if there is one. */
  subscribe(listener: (value: T) => void): Unsubscribe {
    if (this.value !== undefined) listener(this.value);
    return this.changes.listen(listener);
  }

  /** Values from now on; ends with the client. */
  values(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    return this.changes.iterate(this.link.wire.progress, signal);
  }

  /**
   * Takes a document as it is on the server, or was a moment ago.
   * @internal
   */
  become(view: DocumentView): void {
    this.lack = false;
    // Of one that is older than what is shown, the changes since follow; they are in it already.
    if (view.version >= this.version) {
      this.view = view;
      this.changes.emit(this.value!);
    }
    this.first.fulfil(this.value!);
  }

  /**
   * It will not be read.
   * @internal
   */
  fail(error: WssError): void {
    this.lack = error;
    this.first.fail(error);
  }

  /**
   * Applies an event's change; if that can't be, the document has to be read anew.
   * @internal
   */
  follow({ base, ops }: DocumentPatch, seq: number): void {
    const { version, value } = this;
    if (seq <= version) return;
    try {
      if (base !== version) throw new TypeError();
      this.become({ version: seq, value: applyPatch(value, ops) });
    } catch {
      this.lack = true;
    }
  }
}

import type { DocumentView } from '@wss/protocol';
import { Emitter, type Unsubscribe } from '../values/emitter.js';
import type { WssError } from '../values/errors.js';
import { applyPatch, type PatchOperation } from '../values/json-patch.js';
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
  private readonly changes: Emitter<T>;
  private view?: DocumentView;
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
   * Resolves with the first value; at once, if there is one.
   * @throws WssError when the room can't be joined, was left, or has no such document, and when the client was closed
   */
  get ready(): Promise<T> {
    if (this.view) return Promise.resolve(this.view.value as T);
    const { lack, first, link } = this;
    return link.handOut(typeof lack === 'object' ? Promise.reject(lack) : first.promise);
  }

  /** The copy; undefined until {@link ready}. The same object until something changes. */
  get value(): T | undefined {
    return this.view?.value as T | undefined;
  }

  /** Number of the event that last changed it; 0 if it was never written. */
  get version(): number {
    return this.view?.version ?? 0;
  }

  /** Calls back after each change; with the present value first, if there is one. */
  subscribe(listener: (value: T) => void): Unsubscribe {
    if (this.view) listener(this.view.value as T);
    return this.changes.listen(listener);
  }

  /** Values from now on; ends with the client. */
  values(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    return this.changes.iterate(this.link.wire.progress, signal);
  }

  /**
   * Takes a document as it is on the server.
   * @internal
   */
  become(view: DocumentView): void {
    this.lack = false;
    this.view = view;
    this.first.fulfil(view.value as T);
    this.changes.emit(view.value as T);
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
    const { version, value } = this.view!;
    if (seq <= version) return;
    try {
      if (base !== version) throw new TypeError();
      this.become({ version: seq, value: applyPatch(value, ops) });
    } catch {
      this.lack = true;
    }
  }
}

import { Emitter, type Unsubscribe } from './emitter.js';
import type { WssError } from './errors.js';
import { applyPatch, type PatchOperation } from './json-patch.js';
import { FOR_EVER, Pending } from './requests.js';

/** A document as the server sends it. */
export interface DocumentView {
  readonly version: number;
  readonly value: unknown;
}

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
   * True if the copy equals the server's document; if not, it is being read.
   * @internal
   */
  isRight?: boolean;
  /**
   * Why it is not being read.
   * @internal
   */
  failure?: WssError;
  private readonly changes: Emitter<T>;
  private view?: DocumentView;
  private first = new Pending<T>(FOR_EVER);

  /**
   * @param room the room, which lives as long as somebody has its copies
   * @internal
   */
  constructor(
    private readonly room: object,
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
    return this.failure ? Promise.reject(this.failure) : this.first.promise;
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
    return this.changes.iterate(signal);
  }

  /**
   * Takes a document as it is on the server.
   * @internal
   */
  become(view: DocumentView): void {
    this.isRight = true;
    this.show(view);
  }

  /**
   * It has to be read, from now on until it is right or fails.
   * @internal
   */
  renew(): void {
    delete this.failure;
    this.isRight = false;
  }

  /**
   * It will not be read.
   * @internal
   */
  fail(error: WssError): void {
    this.failure = error;
    this.isRight = false;
    if (this.view) return;
    // An application that does not await it gets no unhandled rejection.
    this.first.promise.catch(() => undefined);
    this.first.fail(error);
    this.first = new Pending<T>(FOR_EVER);
  }

  /**
   * Applies an event's change.
   * @returns whether the copy is right; if not, it has to be read anew
   * @internal
   */
  follow({ base, ops }: DocumentPatch, seq: number): boolean | undefined {
    const view = this.view!;
    if (seq <= view.version) return true;
    try {
      if (base !== view.version) throw new TypeError();
      this.show({ version: seq, value: applyPatch(view.value, ops) });
    } catch {
      this.isRight = false;
    }
    return this.isRight;
  }

  /**
   * The client has ended.
   * @internal
   */
  end(): void {
    this.changes.finish();
  }

  private show(view: DocumentView): void {
    this.view = view;
    this.first.fulfil(view.value as T);
    this.changes.emit(view.value as T);
  }
}

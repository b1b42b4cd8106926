import { Emitter, type Unsubscribe } from './emitter.js';
import { applyPatch, type PatchOperation } from './json-patch.js';

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
 * A live copy of one document of a room: after the event with number n it equals the document at n. What does not
 * change keeps its identity.
 */
export class LiveState<T = unknown> {
  /** Resolves with the first value. */
  readonly ready: Promise<T>;
  /**
   * Whether the copy is what the server has; if not, it is being read.
   * @internal
   */
  isRight = false;
  private readonly changes = new Emitter<T>();
  private view?: DocumentView;
  private whenReady!: (value: T) => void;

  constructor() {
    this.ready = new Promise((resolve) => (this.whenReady = resolve));
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
    return this.changes.on(listener);
  }

  /** Values from now on; ends with the client. */
  values(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    return this.changes.iterate(signal);
  }

  /**
   * Takes a document as it is on the server.
   * @internal
   */
  replace(view: DocumentView): void {
    this.isRight = true;
    this.take(view);
  }

  /**
   * Applies what an event changed.
   * @returns whether the copy is right; if not, it has to be read anew
   * @internal
   */
  patch({ base, ops }: DocumentPatch, seq: number): boolean {
    const view = this.view!;
    if (seq <= view.version) return true;
    try {
      if (base !== view.version) throw new TypeError();
      this.take({ version: seq, value: applyPatch(view.value, ops) });
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
    this.changes.end();
  }

  private take(view: DocumentView): void {
    this.view = view;
    this.whenReady(view.value as T);
    this.changes.emit(view.value as T);
  }
}

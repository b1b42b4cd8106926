import type { DocumentState, DocumentType } from './document-type.js';
import type { ResumeRequest, RoomStore, StoredDocument } from '../store/room-store.js';

/** A document of the copy and where it was read. */
export interface CopiedDocument<D extends object = object> extends DocumentState<D> {
  readonly type: DocumentType<D>;
  /** Full position of the commit that wrote it (R3); '' if it was never written. */
  readonly base: string;
}

/** A node's copy of one room's documents: a guess that every commit proves or corrects. */
export class RoomCopy {
  private readonly documents = new Map<string, CopiedDocument>();

  /** The document as last seen; one that was never seen is taken for never written. */
  document<D extends object>(type: DocumentType<D>): CopiedDocument<D> {
    const known = this.documents.get(type.name);
    if (known) return known as unknown as CopiedDocument<D>;
    return { type, base: '', json: type.emptyJson, value: type.create() };
  }

  /** True if all of these documents have been seen. */
  knows(types: readonly DocumentType<object>[]): boolean {
    return types.every(({ name }) => this.documents.has(name));
  }

  /** Takes over what this node wrote. */
  written(documents: readonly CopiedDocument[]): void {
    for (const document of documents) this.documents.set(document.type.name, document);
  }

  /** Reads what it holds again. Where that fails, the next commit tells what is old. */
  async refresh(store: RoomStore, room: Pick<ResumeRequest, 'room' | 'idleTtlMs'>): Promise<void> {
    if (this.documents.size === 0) return;
    try {
      const { documents } = await store.resume({ ...room, documents: true });
      for (const { type } of this.documents.values()) this.seen(type, documents.get(type.name));
    } catch {
      // Nobody waits for this read; what is wrong comes up again in the commit, which has somebody to tell.
    }
  }

  /** Takes over what others wrote, of those documents that it holds. */
  heard(documents: ReadonlyMap<string, StoredDocument>): void {
    for (const { type } of this.documents.values()) {
      const stored = documents.get(type.name);
      if (stored) this.seen(type, stored);
    }
  }

  /** Takes over what the engine holds. */
  seen(type: DocumentType<object>, stored: StoredDocument | undefined): void {
    if (this.documents.get(type.name)?.base === (stored?.position ?? '')) return;
    const document = stored
      ? { type, base: stored.position, json: stored.json, value: type.parse(stored.json) }
      : { type, base: '', json: type.emptyJson, value: type.create() };
    this.documents.set(type.name, document);
  }

  /** Forgets everything, after an outcome that is not known. */
  clear(): void {
    this.documents.clear();
  }
}

import type { DocumentState, DocumentType } from './document-type.js';
import type { ResumeRequest, RoomStore, StoredDocument } from '../store/room-store.js';

/** A document of the copy, and the position at which it was read. */
export interface CopiedDocument<D extends object = object> extends DocumentState<D> {
  readonly type: DocumentType<D>;
  /** Full position of the commit that wrote it (R3); '' if it was never written. */
  readonly base: string;
}

/** A node's copy of one room's documents: a guess that every commit proves or corrects. */
export class RoomCopy {
  private readonly documents = new Map<string, CopiedDocument>();

  /** The document as last seen; a document that was never seen counts as never written. */
  document<D extends object>(type: DocumentType<D>): CopiedDocument<D> {
    const known = this.documents.get(type.name);
    if (known) return known as unknown as CopiedDocument<D>;
    return { type, base: '', json: type.emptyJson, value: type.create() };
  }

  /** True if all of these documents have been seen. */
  knows(types: readonly DocumentType<object>[]): boolean {
    return types.every(({ name }) => this.documents.has(name));
  }

  /** Takes over documents that this node wrote. */
  written(documents: readonly CopiedDocument[]): void {
    for (const document of documents) this.documents.set(document.type.name, document);
  }

  /** Reads its documents again. If that fails, the next commit shows which are old. */
  async refresh(store: RoomStore, room: Pick<ResumeRequest, 'room' | 'idleTtlMs'>): Promise<void> {
    if (this.documents.size === 0) return;
    try {
      const { documents } = await store.resume({ ...room, documents: true });
      for (const { type } of this.documents.values()) this.seen(type, documents.get(type.name));
    } catch {
      // No caller waits for this read; a fault comes up again in the commit, which can report it.
    }
  }

  /** Takes over changes of other nodes, for the documents that it holds. */
  heard(documents: ReadonlyMap<string, StoredDocument>): void {
    for (const { type } of this.documents.values()) {
      const stored = documents.get(type.name);
      if (stored) this.seen(type, stored);
    }
  }

  /** Takes over a document from the engine. */
  seen(type: DocumentType<object>, stored: StoredDocument | undefined): void {
    if (this.documents.get(type.name)?.base === (stored?.position ?? '')) return;
    const document = stored
      ? { type, base: stored.position, json: stored.json, value: type.parse(stored.json) }
      : { type, base: '', json: type.emptyJson, value: type.create() };
    this.documents.set(type.name, document);
  }

  /** Forgets everything, after an unknown outcome. */
  clear(): void {
    this.documents.clear();
  }
}

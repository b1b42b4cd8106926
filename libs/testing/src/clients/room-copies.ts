import { applyPatch, type DocumentView, type PatchOperation } from '@wss/protocol';

/** The changes of documents that travel with an event, by the name of the document. */
export type DocumentPatches = Readonly<
  Record<string, { readonly base: number; readonly ops: readonly PatchOperation[] }>
>;

/** A member's copies of a room's documents: a snapshot, then the patches of the room's events. */
export class RoomCopies {
  private views = new Map<string, DocumentView>();

  /** Takes the documents as the server sent them. */
  start(documents: Readonly<Record<string, DocumentView>>): void {
    this.views = new Map(Object.entries(documents));
  }

  /**
   * Applies the patches of the event with this number; one that a copy already contains changes nothing.
   * @throws Error when a patch was made for another version, or does not fit the copy
   */
  follow(patches: DocumentPatches, seq: number): void {
    for (const [name, { base, ops }] of Object.entries(patches)) {
      const { version, value } = this.views.get(name) ?? { version: 0, value: undefined };
      if (seq <= version) continue;
      if (base !== version) {
        throw new Error(
          `event ${seq} changes version ${base} of ${name}, and the copy has version ${version}`,
        );
      }
      this.views.set(name, { version: seq, value: applyPatch(value, ops) });
    }
  }

  /** The copy of a document, or undefined if there is none of that name. */
  get(name: string): unknown {
    return this.views.get(name)?.value;
  }

  /** All copies by their names. */
  all(): Record<string, unknown> {
    return Object.fromEntries([...this.views].map(([name, { value }]) => [name, value]));
  }
}

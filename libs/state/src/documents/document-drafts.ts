import type { DocumentState, DocumentType } from './document-type.js';

/** The works' view of their room in one batch. */
export interface BatchView {
  document<D extends object>(type: DocumentType<D>): DocumentState<D>;
}

/** A document that a run wants to change. */
export interface DocumentChange {
  readonly type: DocumentType<object>;
  readonly value: object;
  readonly json: string;
}

/** A document that a run has opened. */
interface OpenedDocument<D extends object = object> {
  readonly type: DocumentType<D>;
  readonly before: DocumentState<D>;
  /** The run's own copy. */
  readonly value: D;
}

/** The documents that one run of an update function works on, each on a copy of its own. */
export class DocumentDrafts {
  private readonly opened: OpenedDocument[] = [];

  constructor(private readonly view: BatchView) {}

  /** The run's copy of a document; the same object for the same document. */
  open<D extends object>(type: DocumentType<D>): D {
    const known = this.opened.find((each) => each.type.name === type.name);
    if (known) return known.value as D;
    const before = this.view.document(type);
    const value = type.clone(before.value);
    this.opened.push({ type, before, value } as unknown as OpenedDocument);
    return value;
  }

  /**
   * The documents that the run has changed, in the order in which it opened them.
   * @throws GatewayError as of `DocumentType.toJson`, when one of them can't be stored
   */
  changes(): DocumentChange[] {
    const changes: DocumentChange[] = [];
    for (const { type, before, value } of this.opened) {
      const json = type.toJson(value, before.value);
      if (json !== before.json) changes.push({ type, value, json });
    }
    return changes;
  }
}

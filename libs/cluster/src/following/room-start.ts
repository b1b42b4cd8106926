import type { DocumentJson } from '@wss/core';
import { type ResumeReply, seqOf } from '@wss/state';

/**
 * Shows documents as clients see them.
 * @param empty JSON of those that were never written
 */
export function viewsOf(
  documents: ResumeReply['documents'],
  empty: ReadonlyMap<string, string>,
): Map<string, DocumentJson> {
  const views = new Map<string, DocumentJson>();
  for (const [name, json] of empty) views.set(name, { version: 0, json });
  for (const [name, { position, json }] of documents) views.set(name, { version: seqOf(position), json });
  return views;
}

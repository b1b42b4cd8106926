import { isDeepStrictEqual } from 'node:util';
import { eventually, type EventuallyOptions } from '../waiting/eventually.js';
import { TestClient } from './test-client.js';
import { TestRoom } from './test-room.js';

const SHOWN_CHARACTERS = 500;

/**
 * Waits until members of one room, and those who join it now at these addresses, are at the same position with equal
 * live copies. The latter are the user of the first member, so nobody sees them come.
 * @throws Error that names the member and the difference, when it is not so in time
 */
export async function converged(
  members: readonly TestRoom[],
  urls: readonly string[],
  options?: EventuallyOptions,
): Promise<Record<string, unknown>> {
  const [first] = members;
  if (!first) throw new Error('name the members that are to be equal');
  const readers: TestClient[] = [];
  try {
    for (const url of urls) readers.push(await first.client.another(url));
    const fresh = await Promise.all(readers.map((reader) => TestRoom.join(reader, first.name)));
    return await eventually(() => equalDocuments(fresh, members), options);
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

function equalDocuments(
  [reference, ...fresh]: readonly TestRoom[],
  members: readonly TestRoom[],
): Record<string, unknown> {
  const documents = reference!.documents();
  for (const room of [...fresh, ...members]) {
    const found = { at: room.position, documents: room.documents() };
    const expected = { at: reference!.position, documents: room.keepsState ? documents : {} };
    if (!isDeepStrictEqual(found, expected)) {
      throw new Error(
        `${nameOf(room)} has ${shown(found)}, and ${nameOf(reference!)}, who joined now, ${shown(expected)}`,
      );
    }
  }
  return documents;
}

function nameOf({ client }: TestRoom): string {
  return `${client.user ?? 'a client'} at ${client.url}`;
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, SHOWN_CHARACTERS);
}

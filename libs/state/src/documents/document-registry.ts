import { parseRoomName } from '@wss/protocol';
import type { DocumentType } from './document-type.js';

/** The document classes that the application's modules use, by room type. */
export class DocumentRegistry {
  private readonly types = new Map<string, Map<string, DocumentType<object>>>();

  /** @throws Error when two classes claim one name in a room type. */
  add(type: DocumentType<object>): void {
    const ofRoom = this.types.get(type.roomType) ?? new Map<string, DocumentType<object>>();
    const other = ofRoom.get(type.name);
    if (other && other.type !== type.type) {
      throw new Error(
        `${other.type.name} and ${type.type.name} are both the document "${type.name}" of "${type.roomType}"; name one with @RoomDocument('${type.roomType}', { name })`,
      );
    }
    this.types.set(type.roomType, ofRoom.set(type.name, type));
  }

  /** The documents of a room. */
  of(room: string): DocumentType<object>[] {
    return [...(this.types.get(parseRoomName(room)?.type ?? '')?.values() ?? [])];
  }

  /** All document classes. */
  all(): DocumentType<object>[] {
    return [...this.types.values()].flatMap((ofRoom) => [...ofRoom.values()]);
  }
}

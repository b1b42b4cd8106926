import type { Type } from '@nestjs/common';
import { roomDocumentOf } from '@wss/core';
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

  /**
   * The document of a class in the rooms of a type.
   * @throws Error with the remedy when it is none of theirs, or no module has it
   */
  find<D extends object>(document: Type<D>, roomType: string): DocumentType<D> {
    const { type, name } = roomDocumentOf(document);
    if (type !== roomType) {
      throw new Error(
        `${document.name} is a document of rooms "${type}", and this is a room "${roomType}": a commit changes documents of one room`,
      );
    }
    const known = this.types.get(type)?.get(name);
    if (known?.type === document) return known as unknown as DocumentType<D>;
    throw new Error(
      `no module has the document ${document.name}: add WssModule.forFeature([${document.name}]) to imports`,
    );
  }

  /** All document classes. */
  all(): DocumentType<object>[] {
    return [...this.types.values()].flatMap((ofRoom) => [...ofRoom.values()]);
  }
}

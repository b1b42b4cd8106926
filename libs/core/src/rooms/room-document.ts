import type { Type } from '@nestjs/common';

/** Options of a document class. */
export interface RoomDocumentOptions {
  /** Name of the document in its room. Default: the class name in kebab-case. */
  readonly name?: string;
}

/** A document class and where it lives. */
export interface RoomDocumentMetadata {
  readonly type: string;
  readonly name: string;
}

const ROOM_DOCUMENT = Symbol('wss:room-document');

/**
 * Makes a class a document of every room of a type. Its class-validator rules are checked before each write, which is
 * refused if it breaks one that the stored document keeps. A new instance is the value of a document that was never
 * written, so every field needs a default. Documents are stored as JSON: the start refuses a class whose values would
 * not come back as they were, such as one with a `Set`.
 */
export function RoomDocument(type: string, options: RoomDocumentOptions = {}): ClassDecorator {
  return (target) => {
    const name = options.name ?? kebab(target.name);
    Reflect.defineMetadata(ROOM_DOCUMENT, { type, name } satisfies RoomDocumentMetadata, target);
  };
}

/** @throws Error when the class has no `@RoomDocument`. */
export function roomDocumentOf(target: Type<object>): RoomDocumentMetadata {
  const metadata = Reflect.getMetadata(ROOM_DOCUMENT, target) as RoomDocumentMetadata | undefined;
  if (!metadata)
    throw new Error(`${target.name} is not a document: decorate it with @RoomDocument('<room type>')`);
  return metadata;
}

function kebab(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

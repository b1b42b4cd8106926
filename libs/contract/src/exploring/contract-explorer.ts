import { Injectable, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import {
  type DecoratedMethod,
  type EventClasses,
  HandlerExplorer,
  isPrimitive,
  messageBodiesOf,
  RateLimits,
  replyTypeOf,
  requireCarriedData,
  RoomTypeRegistry,
  roomTypeOf,
  sentBy,
} from '@wss/core';
import { isSystemEvent } from '@wss/protocol';
import { documentClassOf, DocumentRegistry, DocumentType, requireDeclaredRooms } from '@wss/state';
import { MESSAGE_METADATA } from '@nestjs/websockets/constants.js';
import { ClassSchemas } from '../class-schemas.js';
import type { CommandContract, AppContract, DocumentContract, EventContract } from '../contract.js';
import type { JsonSchema } from '../json-schema.js';
import { SchemaNames } from '../schema-names.js';

/** A handler that a client may call. */
interface FoundHandler {
  readonly found: DecoratedMethod;
  readonly event: string;
  readonly roomType?: string;
}

/** Events to clients that one class declares. */
interface Sender {
  readonly roomType?: string;
  readonly classes: EventClasses;
  readonly volatile: boolean;
}

/** The contract as the application's handlers, room types and documents state it. */
@Injectable()
export class ContractExplorer {
  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly discovery: DiscoveryService,
    private readonly types: RoomTypeRegistry,
  ) {}

  /**
   * @throws Error that says what to do, as the boot does.
   */
  contract(): AppContract {
    const handlers = this.handlers();
    const senders = [...this.roomSenders(), ...this.directSenders()];
    const found = this.documents();
    const schemas = new ClassSchemas(names(handlers, senders, found));
    const commandsIn = (type?: string): CommandContract[] =>
      byEvent(handlers.filter(({ roomType }) => roomType === type).map((each) => command(each, schemas)));
    const eventsIn = (type?: string): EventContract[] =>
      byEvent(senders.filter(({ roomType }) => roomType === type).flatMap((each) => events(each, schemas)));
    const types = [...this.types.all().values()].sort((a, b) => (a.type < b.type ? -1 : 1));
    const rooms = types.map(({ type, maxMembers }) => ({
      type,
      commands: commandsIn(type),
      events: eventsIn(type),
      documents: documentsOf(type, found, schemas),
      ...(maxMembers > 0 && { maxMembers }),
    }));
    return { commands: commandsIn(), events: eventsIn(), rooms, schemas: schemas.all() };
  }

  /** Handlers whose reply is unknown, as `Class.method`. */
  unknownReplies(): string[] {
    return this.handlers()
      .filter(({ found }) => replyTypeOf(found.class.prototype as object, found.method) === undefined)
      .map(({ found }) => `${found.class.name}.${found.method}`);
  }

  private handlers(): FoundHandler[] {
    const handlers = new Map<string, FoundHandler>();
    for (const found of this.explorer.commandMethods()) {
      const event = Reflect.getMetadata(MESSAGE_METADATA, found.callback) as string;
      if (isSystemEvent(event)) continue;
      requireCarriedData(found);
      const other = handlers.get(event);
      if (other) throw new Error(twice(event, other.found, found));
      const roomType = roomTypeOf(found.class)?.type;
      handlers.set(event, { found, event, ...(roomType !== undefined && { roomType }) });
    }
    return [...handlers.values()];
  }

  private roomSenders(): Sender[] {
    return [...this.types.all().values()].flatMap(({ type, events: declared }) =>
      declared
        ? [
            { roomType: type, classes: declared.logged, volatile: false },
            { roomType: type, classes: declared.volatile, volatile: true },
          ]
        : [],
    );
  }

  private directSenders(): Sender[] {
    const providers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    const types = new Set(
      providers.map(({ metatype }) => metatype).filter((type) => typeof type === 'function'),
    );
    return [...types].map((type) => ({ classes: sentBy(type), volatile: true }));
  }

  /** A module that uses a document provides its repository, which may not be made yet. */
  private documents(): DocumentType<object>[] {
    const documents = new DocumentRegistry();
    for (const { token } of this.discovery.getProviders()) {
      const type = documentClassOf(token);
      if (type) documents.add(new DocumentType(type));
    }
    requireDeclaredRooms(documents, this.types);
    return documents.all();
  }
}

function documentsOf(
  type: string,
  documents: readonly DocumentType<object>[],
  schemas: ClassSchemas,
): DocumentContract[] {
  return documents
    .filter(({ roomType }) => roomType === type)
    .map((document) => ({ name: document.name, value: schemas.referTo(document.type, 'sent') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function names(
  handlers: readonly FoundHandler[],
  senders: readonly Sender[],
  documents: readonly DocumentType<object>[],
): ReadonlyMap<Type<object>, string> {
  const names = new SchemaNames();
  for (const { found, event } of [...handlers].sort((a, b) => (a.event < b.event ? -1 : 1))) {
    for (const body of messageBodiesOf(found)) if (body.kind === 'whole') names.mention(body.type, event);
    names.mention(replyTypeOf(found.class.prototype as object, found.method), event);
  }
  for (const { classes } of senders)
    for (const [event, type] of Object.entries(classes)) names.mention(type, event);
  for (const { type, roomType } of documents) names.mention(type, roomType);
  return names.resolved();
}

function twice(event: string, ...found: readonly DecoratedMethod[]): string {
  const methods = found.map(({ class: type, method }) => `${type.name}.${method}`);
  return `"${event}" is handled twice: by ${methods.join(' and ')}; rename one`;
}

function command({ found, event, roomType }: FoundHandler, schemas: ClassSchemas): CommandContract {
  const reply = replyTypeOf(found.class.prototype as object, found.method);
  const limits = RateLimits.of(found.callback, event, roomType !== undefined);
  return {
    event,
    data: dataOf(found, schemas),
    ...(reply !== undefined && {
      reply: reply === null ? { type: 'null' } : replySchema(reply as Type<object>, schemas),
    }),
    ...(limits && { limits: limits.stated() }),
  };
}

function events({ classes, volatile }: Sender, schemas: ClassSchemas): EventContract[] {
  return Object.entries(classes).map(([event, type]) => ({ event, volatile, data: schemas.referTo(type, 'sent') }));
}

/** A handler that reads no data takes any object; properties that are read one by one are not checked. */
function dataOf(found: DecoratedMethod, schemas: ClassSchemas): JsonSchema {
  const bodies = messageBodiesOf(found);
  const whole = bodies.find((body) => body.kind === 'whole');
  // A body of another type is the whole object, unread.
  if (whole) return isPrimitive(whole.type) ? { type: 'object' } : schemas.referTo(whole.type, 'received');
  const names = bodies.flatMap((body) => (body.kind === 'property' ? [body.property] : []));
  if (names.length === 0) return { type: 'object', properties: {} };
  return { type: 'object', properties: Object.fromEntries(names.map((name) => [name, {}])) };
}

function replySchema(type: Type<object>, schemas: ClassSchemas): JsonSchema {
  if ((type as unknown) === Array) return { type: 'array' };
  if (isPrimitive(type)) return { type: type.name.toLowerCase() };
  return schemas.referTo(type, 'sent');
}

function byEvent<T extends { readonly event: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.event < b.event ? -1 : 1));
}

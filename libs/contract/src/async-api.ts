import type { StatedLimit } from '@wss/core';
import { ERROR_CODES } from '@wss/protocol';
import type { CommandContract, AppContract, EventContract, RoomContract } from './contract.js';
import type { JsonSchema } from './json-schema.js';
import { legal } from './component-names.js';
import { limitText, membersText } from './limit-texts.js';

/** Facts of an AsyncAPI document beyond the contract. */
export interface AsyncApiInfo {
  readonly title: string;
  readonly version: string;
}

interface Reference {
  readonly $ref: string;
}

interface ApiMessage {
  readonly name: string;
  readonly title: string;
  readonly payload: JsonSchema;
  readonly [extension: `x-${string}`]: unknown;
}

interface Channel {
  readonly address: string;
  readonly title: string;
  readonly description: string;
  readonly parameters?: Record<string, { description: string }>;
  readonly messages: Record<string, Reference>;
  readonly 'x-room-type'?: string;
  /** Values of the room's documents by name, as joins and resets bring them. */
  readonly 'x-documents'?: Record<string, JsonSchema>;
  /** Members of a room at most; a further `$join` is `limit`. */
  readonly 'x-max-members'?: number;
}

/** One command or event of the document. */
export interface Operation {
  readonly action: 'send' | 'receive';
  readonly channel: Reference;
  readonly title: string;
  readonly description?: string;
  readonly messages: readonly Reference[];
  readonly reply?: { readonly channel: Reference; readonly messages: readonly Reference[] };
  readonly 'x-event': string;
  readonly 'x-volatile'?: boolean;
  /** How often the command may be sent; the answer beyond it is the error `code`. */
  readonly 'x-rate-limits'?: readonly (StatedLimit & { readonly code: 'rate_limited' })[];
}

/** An AsyncAPI 3 document of ours. */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: AsyncApiInfo & { readonly description: string };
  readonly defaultContentType: string;
  readonly channels: Record<string, Channel>;
  readonly operations: Record<string, Operation>;
  readonly components: {
    readonly messages: Record<string, ApiMessage>;
    readonly schemas: Record<string, JsonSchema>;
  };
}

/** Channel of messages outside of rooms. */
export const CONNECTION = 'connection';
const ERROR = 'error';
const DESCRIPTION =
  'One WebSocket carries every channel here; each message is a text frame with one JSON object. "$" events, ' +
  'positions and exactly-once commands are the same for every feature: PROTOCOL.md describes them.';

/** The contract as an AsyncAPI 3 document. */
export function toAsyncApi(contract: AppContract, info: AsyncApiInfo): AsyncApiDocument {
  const writer = new DocumentWriter(contract);
  writer.connection();
  for (const room of contract.rooms) writer.room(room);
  return {
    asyncapi: '3.0.0',
    info: { ...info, description: DESCRIPTION },
    defaultContentType: 'application/json',
    channels: writer.channels,
    operations: writer.operations,
    components: {
      messages: { ...writer.messages, [ERROR]: errorMessage() },
      schemas: { ...contract.schemas },
    },
  };
}

class DocumentWriter {
  readonly channels: Record<string, Channel> = {};
  readonly operations: Record<string, Operation> = {};
  readonly messages: Record<string, ApiMessage> = {};

  constructor(private readonly contract: AppContract) {}

  connection(): void {
    this.channels[CONNECTION] = {
      address: '/',
      title: 'Outside of rooms',
      description: 'Commands without a room, and events to one client, to a user or to everybody.',
      messages: { [ERROR]: { $ref: `#/components/messages/${ERROR}` } },
    };
    for (const command of this.contract.commands) this.command(CONNECTION, command);
    for (const event of this.contract.events) this.event(CONNECTION, event);
  }

  room({ type, commands, events, documents, maxMembers }: RoomContract): void {
    const channel = `room-${type}`;
    this.channels[channel] = {
      address: `${type}:{key}`,
      title: `Rooms ${type}:<key>`,
      description: `Clients join the room with "$join"; the room is named in each frame.${maxMembers === undefined ? '' : ` ${membersText(maxMembers)}.`}`,
      parameters: { key: { description: '1 to 128 characters of A-Z a-z 0-9 _ . -' } },
      messages: { [ERROR]: { $ref: `#/components/messages/${ERROR}` } },
      'x-room-type': type,
      'x-documents': Object.fromEntries(documents.map(({ name, value }) => [name, value])),
      ...(maxMembers !== undefined && { 'x-max-members': maxMembers }),
    };
    for (const command of commands) this.command(channel, command, type);
    for (const event of events) this.event(channel, event, type);
  }

  private command(channel: string, { event, data, reply, limits }: CommandContract, roomType?: string): void {
    const name = legal(event);
    const [command, answer] = [`command.${name}`, `reply.${name}`];
    const title = `${event} from a client`;
    this.message(channel, command, title, commandPayload(event, data, roomType));
    this.message(channel, answer, `reply to ${event}`, replyPayload(reply));
    this.operations[`receive.${name}`] = {
      action: 'receive',
      channel: { $ref: `#/channels/${channel}` },
      title,
      ...(limits && { description: limits.map((limit) => `${limitText(limit)}.`).join('\n') }),
      messages: [inChannel(channel, command)],
      reply: {
        channel: { $ref: `#/channels/${channel}` },
        messages: [inChannel(channel, answer), inChannel(channel, ERROR)],
      },
      'x-event': event,
      ...(limits && { 'x-rate-limits': limits.map((limit) => ({ ...limit, code: 'rate_limited' as const })) }),
    };
  }

  private event(channel: string, { event, data, volatile }: EventContract, roomType?: string): void {
    const name = roomType === undefined ? `direct.${legal(event)}` : `${roomType}.${legal(event)}`;
    const title = roomType === undefined ? `${event} to clients` : `${event} to the members`;
    this.message(channel, `event.${name}`, title, eventPayload(event, data, { roomType, volatile }));
    this.operations[`send.${name}`] = {
      action: 'send',
      channel: { $ref: `#/channels/${channel}` },
      title,
      messages: [inChannel(channel, `event.${name}`)],
      'x-event': event,
      'x-volatile': volatile,
    };
  }

  private message(channel: string, name: string, title: string, payload: JsonSchema): void {
    this.messages[name] = { name, title, payload };
    this.channels[channel]!.messages[name] = { $ref: `#/components/messages/${name}` };
  }
}

function inChannel(channel: string, message: string): Reference {
  return { $ref: `#/channels/${channel}/messages/${message}` };
}

const ID: JsonSchema = { type: ['integer', 'string'], description: 'asks for one reply, which repeats it' };

function roomSchema(type: string): JsonSchema {
  return { type: 'string', pattern: `^${type}:[A-Za-z0-9_.-]{1,128}$` };
}

function commandPayload(event: string, data: JsonSchema, roomType: string | undefined): JsonSchema {
  const inRoom = roomType !== undefined;
  return {
    type: 'object',
    required: ['event', ...(inRoom ? ['room'] : []), 'data'],
    properties: {
      event: { const: event },
      ...(inRoom && { room: roomSchema(roomType) }),
      data,
      id: ID,
      ...(inRoom && {
        n: { type: 'integer', minimum: 1, description: 'takes effect exactly once, in this order' },
        ack: { type: 'integer', minimum: 0 },
        epoch: { type: 'string' },
      }),
    },
  };
}

/** Schema of a reply frame; an undeclared reply may be anything. */
function replyPayload(data: JsonSchema = {}): JsonSchema {
  return {
    type: 'object',
    required: ['id', 'data'],
    properties: {
      id: ID,
      data,
      seq: { type: 'integer', minimum: 0, description: 'where a numbered command took effect' },
      epoch: { type: 'string' },
      dup: { type: 'boolean', description: 'the command had been applied before' },
    },
  };
}

function eventPayload(
  event: string,
  data: JsonSchema,
  { roomType, volatile }: { readonly roomType?: string; readonly volatile: boolean },
): JsonSchema {
  const logged = roomType !== undefined && !volatile;
  return {
    type: 'object',
    required: ['event', ...(roomType === undefined ? [] : ['room']), ...(logged ? ['seq'] : []), 'data'],
    properties: {
      event: { const: event },
      ...(roomType !== undefined && { room: roomSchema(roomType) }),
      ...(logged && { seq: { type: 'integer', minimum: 1 } }),
      data,
      ...(logged && { patch: { type: 'object', description: 'changes of documents, RFC 6902' } }),
    },
  };
}

function errorMessage(): ApiMessage {
  const error: JsonSchema = {
    type: 'object',
    required: ['code', 'message', 'retry'],
    properties: {
      code: { type: 'string', enum: Object.keys(ERROR_CODES) },
      message: { type: 'string' },
      details: { type: 'array', items: { type: 'object' } },
      retry: { type: 'boolean', description: 'true if the same command may succeed later' },
      applied: { type: 'boolean' },
    },
  };
  return {
    name: ERROR,
    title: 'an error instead of a reply',
    payload: { type: 'object', required: ['id', 'error'], properties: { id: ID, error } },
  };
}

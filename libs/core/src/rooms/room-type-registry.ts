import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { parseRoomName } from '@wss/protocol';
import { didYouMean } from '../errors/near-names.js';
import { RoomEvents } from './room-events.js';
import { type RoomTypeDeclaration, type RoomTypeOptions, roomTypeOf } from './room-type.js';

const DEFAULTS = {
  presence: false,
  backPressure: 'resync',
  openToAll: false,
  durable: false,
  idleTtlMs: 0,
  maxMembers: 0,
} as const;
/**
 * Least time after which an idle room ends, ms. Nodes keep the rooms of their members when half of it is gone, and look
 * every 2 s, so a room with members outlives a node or a Redis that stands still for 28 s.
 */
export const LEAST_IDLE_MS = 60_000;
const DEFAULT_HISTORY = { events: 1_000, ttlMs: 86_400_000 };

/** The room types that the application's modules declare. */
@Injectable()
export class RoomTypeRegistry {
  private types?: ReadonlyMap<string, RoomTypeDeclaration>;

  constructor(private readonly discovery: DiscoveryService) {}

  /**
   * The type with this name.
   * @throws Error when two classes declare one type, an option is out of range, or a class refers to a type that nobody declares.
   */
  get(type: string): RoomTypeDeclaration | undefined {
    return this.all().get(type);
  }

  /** The type of a room; `undefined` when the name is bad or the type undeclared. */
  of(room: string): RoomTypeDeclaration | undefined {
    const name = parseRoomName(room);
    return name && this.get(name.type);
  }

  /** Every declared type by name; built on first use, after Nest has created the providers. */
  all(): ReadonlyMap<string, RoomTypeDeclaration> {
    return (this.types ??= this.discover());
  }

  private discover(): ReadonlyMap<string, RoomTypeDeclaration> {
    const declared = new Map<string, RoomTypeDeclaration>();
    const mentioned = new Map<string, string>();
    const declarers = new Map<string, string>();
    const seen = new Set<unknown>();
    for (const { metatype } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const metadata = typeof metatype === 'function' ? roomTypeOf(metatype) : undefined;
      if (!metadata || seen.has(metatype)) continue;
      seen.add(metatype);
      mentioned.set(metadata.type, metatype!.name);
      if (!metadata.options) continue;
      if (declared.has(metadata.type)) {
        throw new Error(
          `room type "${metadata.type}" is declared twice, by ${declarers.get(metadata.type)} and ${metatype!.name}: give options in one of them, and @RoomType('${metadata.type}') in the other`,
        );
      }
      declarers.set(metadata.type, metatype!.name);
      declared.set(metadata.type, declaration(metadata.type, metadata.options));
    }
    for (const [type, name] of mentioned) {
      if (!declared.has(type)) {
        throw new Error(
          `${name} names room type "${type}", which no class declares: add options, e.g. @RoomType('${type}', {})${didYouMean(type, declared.keys())}`,
        );
      }
    }
    return declared;
  }
}

function declaration(type: string, options: RoomTypeOptions): RoomTypeDeclaration {
  if (!parseRoomName(`${type}:x`)) {
    throw new Error(
      `"${type}" is not a room type's name: lower-case letters, digits and "-", starting with a letter, at most 32`,
    );
  }
  const { join, history, events, volatile, ...rest } = options;
  const declared = { ...DEFAULTS, ...rest, type, history: { ...DEFAULT_HISTORY, ...history } };
  for (const [name, value] of Object.entries(declared.history)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new Error(`room type "${type}": history.${name} must be an integer from 1`);
    }
  }
  const { idleTtlMs } = declared;
  if (!Number.isSafeInteger(idleTtlMs) || (idleTtlMs !== 0 && idleTtlMs < LEAST_IDLE_MS)) {
    throw new Error(
      `room type "${type}": idleTtlMs must be 0, or an integer from ${LEAST_IDLE_MS}: rooms with members could end below it`,
    );
  }
  if (
    !Number.isSafeInteger(declared.maxMembers) ||
    declared.maxMembers < 0 ||
    declared.maxMembers > 10_000_000
  ) {
    throw new Error(`room type "${type}": maxMembers must be an integer from 0 to 10000000`);
  }
  const closed = events !== undefined || volatile !== undefined;
  return {
    ...declared,
    ...(join && { join }),
    ...(closed && { events: new RoomEvents(type, events ?? {}, volatile ?? {}) }),
  };
}

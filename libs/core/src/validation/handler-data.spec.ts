import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { MessageBody } from '@nestjs/websockets';
import { Transform, Type } from 'class-transformer';
import { Allow, IsArray, IsDate, IsString } from 'class-validator';
import type { DecoratedMethod } from '../handlers/handler-explorer.js';
import { Reply } from '../handlers/reply.js';
import { RoomEvents } from '../rooms/room-events.js';
import { requireCarriedData } from './handler-data.js';

class Plain {
  @IsString() text!: string;
}
class WithSet {
  @IsArray() tags!: Set<string>;
}
class TypedSet {
  @Type(() => String) @IsString({ each: true }) tags!: Set<string>;
}
class WithDate {
  @Allow() at!: Date;
}
class TypedDate {
  @Type(() => Date) @IsDate() at!: Date;
}
class WithBigint {
  @Allow() count!: bigint;
}
class OwnBigint {
  @Transform(({ value }) => BigInt(value as string)) @Allow() count!: bigint;
}
class Nested {
  @Type(() => WithBigint) @Allow() parts!: WithBigint[];
}

const CASES = [
  { type: Plain, read: undefined, sent: undefined },
  { type: WithSet, read: /tags: JSON has no Set; keep a list/, sent: /tags: JSON has no Set/ },
  { type: TypedSet, read: undefined, sent: /tags: JSON has no Set/ },
  { type: WithDate, read: /at: a Date comes as a string; add @Type/, sent: undefined },
  { type: TypedDate, read: undefined, sent: undefined },
  { type: WithBigint, read: /count: JSON has no BigInt/, sent: /count: JSON has no BigInt/ },
  { type: OwnBigint, read: undefined, sent: undefined },
  { type: Nested, read: /Nested\.parts\.count: JSON has no BigInt/, sent: /parts\.count/ },
];

function checked(check: () => unknown): string {
  try {
    check();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

function handler(type: unknown, reply: unknown): DecoratedMethod {
  class Handlers {
    handle(_data: unknown): void {}
  }
  const { prototype } = Handlers;
  MessageBody()(prototype, 'handle', 0);
  Reflect.defineMetadata('design:paramtypes', [type], prototype, 'handle');
  (Reply as (type: unknown) => MethodDecorator)(reply)(
    prototype,
    'handle',
    Object.getOwnPropertyDescriptor(prototype, 'handle')!,
  );
  const { handle: callback } = prototype;
  return { instance: prototype, method: 'handle', class: Handlers, callback } as unknown as DecoratedMethod;
}

describe('classes of messages', () => {
  it.each(CASES)('$type.name is taken or refused for what handlers read', ({ type, read }) => {
    const text = checked(() => requireCarriedData(handler(type, null)));
    if (!read) return expect(text).toBe('');
    expect(text).toMatch(/^Handlers\.handle: /);
    expect(text).toMatch(read);
  });

  it.each(CASES)('$type.name is taken or refused for replies and events', ({ type, sent }) => {
    const reply = checked(() => requireCarriedData(handler(Plain, type)));
    const event = checked(() => new RoomEvents('poll', { 'poll.voted': type }, {}));
    if (!sent) return expect([reply, event]).toEqual(['', '']);
    expect(reply).toMatch(/^Handlers\.handle, its reply: /);
    expect(event).toMatch(/^room type "poll", event "poll.voted": /);
    for (const text of [reply, event]) expect(text).toMatch(sent);
  });

  it('a reply that is a map or a set is refused too', () => {
    expect(checked(() => requireCarriedData(handler(Plain, Map)))).toMatch(/its reply: JSON has no Map/);
  });
});

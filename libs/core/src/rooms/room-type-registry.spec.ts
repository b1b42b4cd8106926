import { describe, expect, it } from '@jest/globals';
import { writeSync } from 'node:fs';
import type { DiscoveryService } from '@nestjs/core';
import { newSeed, Random } from '@wss/testing';
import { RoomType, type RoomTypeDeclaration, type RoomTypeOptions } from './room-type.js';
import { LEAST_IDLE_MS, RoomTypeRegistry } from './room-type-registry.js';

/** How the registry reads one class with these options. */
function declared(options: RoomTypeOptions): RoomTypeDeclaration {
  class Handlers {}
  RoomType('poll', options)(Handlers);
  const discovery = { getProviders: () => [{ metatype: Handlers }], getControllers: () => [] };
  return new RoomTypeRegistry(discovery as unknown as DiscoveryService).get('poll')!;
}

/** The numbers that each option may have, besides those of `also`. */
const RANGES: readonly {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly also?: number;
  readonly given: (value: number) => RoomTypeOptions;
  readonly read: (type: RoomTypeDeclaration) => number;
}[] = [
  {
    name: 'idleTtlMs',
    from: LEAST_IDLE_MS,
    to: Number.MAX_SAFE_INTEGER,
    also: 0,
    given: (idleTtlMs) => ({ idleTtlMs }),
    read: (type) => type.idleTtlMs,
  },
  {
    name: 'maxMembers',
    from: 0,
    to: 10_000_000,
    given: (maxMembers) => ({ maxMembers }),
    read: (type) => type.maxMembers,
  },
  {
    name: 'history.ttlMs',
    from: 1,
    to: Number.MAX_SAFE_INTEGER,
    given: (ttlMs) => ({ history: { ttlMs } }),
    read: (type) => type.history.ttlMs,
  },
  {
    name: 'history.events',
    from: 1,
    to: Number.MAX_SAFE_INTEGER,
    given: (events) => ({ history: { events } }),
    read: (type) => type.history.events,
  },
];

describe('options of a kind of room', () => {
  const odd = [
    -1,
    0,
    1,
    0.5,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    2 ** 53,
    '60000',
    null,
    [60_000],
    true,
    60_000n,
  ];

  it.each(RANGES)(
    '$name is refused by its name, or kept as it is',
    ({ name, from, to, also, given, read }) => {
      const seed = newSeed();
      writeSync(1, `${name}: SEED=${seed}\n`);
      const random = new Random(seed);
      const edges = [from - 1, from, from + 1, to - 1, to, to + 1];
      const drawn = Array.from({ length: 50 }, () => Math.floor((from + 1) * 4 ** (random.next() * 12 - 4)));
      for (const value of [...odd, ...edges, ...drawn] as number[]) {
        const isAllowed = Number.isSafeInteger(value) && ((value >= from && value <= to) || value === also);
        if (isAllowed) expect(read(declared(given(value)))).toBe(value);
        else expect(() => declared(given(value))).toThrow(`room type "poll": ${name} must be `);
      }
    },
  );

  it('R17: a room with members can not end below the time in which nodes keep it', () => {
    for (const idleTtlMs of [1, 1_000, LEAST_IDLE_MS - 1])
      expect(() => declared({ idleTtlMs })).toThrow(
        'room type "poll": idleTtlMs must be 0, or an integer from 60000: rooms with members could end below it',
      );
  });
});

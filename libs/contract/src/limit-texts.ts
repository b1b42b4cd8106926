import type { StatedLimit } from '@wss/core';

const SHARERS: Readonly<Record<StatedLimit['per'], string>> = {
  room: 'of everybody in a room',
  'user in a room': 'of a user in a room',
  user: 'of a user, on all connections and in all rooms',
  connection: 'of a connection',
};

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
  [1, 'ms'],
] as const;

/** A limit in words, e.g. `At most 5 of a user in a room in 10 s, others are "rate_limited"`. */
export function limitText({ per, limit, windowMs }: StatedLimit): string {
  const [size, unit] = UNITS.find(([ms]) => windowMs % ms === 0)!;
  return `At most ${limit} ${SHARERS[per]} in ${windowMs / size} ${unit}, others are "rate_limited"`;
}

/** The limit of a room's members in words. */
export function membersText(maxMembers: number): string {
  return `At most ${maxMembers} members, for others "$join" is "limit"`;
}

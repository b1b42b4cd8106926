import type { Redis } from 'ioredis';

const ROLES = ['commands', 'reads', 'subscriber', 'fence'] as const;

/** The links to one server. */
export interface ServerLinks {
  readonly commands: Redis;
  readonly reads: Redis;
  readonly subscriber: Redis;
  readonly fence?: Redis | undefined;
}

/** All links to one server. */
export function linksOf({ commands, reads, subscriber, fence }: ServerLinks): Redis[] {
  return fence ? [commands, reads, subscriber, fence] : [commands, reads, subscriber];
}

/** How many links of one kind a node has. */
export interface LinkCount {
  readonly role: (typeof ROLES)[number];
  readonly up: number;
  readonly all: number;
}

/** Counts the links to some servers by kind; kinds that do not occur are left out. */
export function countLinks(servers: readonly ServerLinks[]): LinkCount[] {
  return ROLES.map((role) => {
    const links = servers.flatMap((server) => server[role] ?? []);
    return { role, up: links.filter(({ status }) => status === 'ready').length, all: links.length };
  }).filter(({ all }) => all > 0);
}

import type { Config } from '../config.js';

/** Names of the variables that may be `off`. */
type MayBeOff = {
  [Name in keyof Config]-?: false extends Config[Name] ? Name : never;
}[keyof Config];

/** Limits that may be off, and what they bound. */
const LIMITS = {
  MAX_FRAMES_PER_SECOND: 'a client may send any number of frames',
  MAX_BYTES_PER_SECOND: 'a client may send any number of bytes',
  MAX_CONNECTIONS_PER_USER: 'one user may take all connections',
  MAX_MEMBERS_PER_ROOM: 'a room may have any number of members',
  MAX_CONNECTIONS_PER_ADDRESS: 'one address may take all connections',
  MAX_CONNECTIONS: 'the node takes connections until it has no memory left',
  MAX_HANDSHAKES_PER_ADDRESS: 'one address may keep the node busy with handshakes',
  MAX_HANDSHAKES_PER_SECOND: 'handshakes may take all of the node',
  MAX_HALF_OPEN: 'connections without a request may take all of the node',
} as const satisfies Record<MayBeOff, string>;

/** Settings with which a node is not safe before strangers: a line for each, with its remedy. */
export function productionWarnings(config: Config): string[] {
  if (config.NODE_ENV !== 'production') return [];
  const { AUTH, ALLOWED_ORIGINS: origins } = config;
  const off = (Object.keys(LIMITS) as MayBeOff[]).filter((name) => config[name] === false);
  return [
    ...(AUTH === 'none'
      ? ['AUTH=none: everybody may connect under any name; do not let strangers reach this node']
      : []),
    ...(origins === undefined && AUTH !== 'none'
      ? ['ALLOWED_ORIGINS is not set: pages of other hosts get 403; list the origins of your pages']
      : []),
    ...(origins !== 'local' && origins?.includes('*')
      ? ['ALLOWED_ORIGINS=*: pages of any site may connect in the name of its visitors; list your own']
      : []),
    ...off.map((name) => `${name}=off: ${LIMITS[name]}; set a number`),
  ];
}

import type { WssLimits, WssOptions } from './wss-options.js';

/** Names of the limits that may be `false`. */
type MayBeOff = {
  [Name in keyof WssLimits]-?: false extends WssLimits[Name] ? Name : never;
}[keyof WssLimits];

/** How each limit is off, and the harm. */
const LIMITS: Readonly<Record<MayBeOff, readonly [variable: string, harm: string]>> = {
  framesPerSecond: ['of the gateway MAX_FRAMES_PER_SECOND=off', 'a client may send any number of frames'],
  bytesPerSecond: ['of the gateway MAX_BYTES_PER_SECOND=off', 'a client may send any number of bytes'],
  connectionsPerUser: ['of the gateway MAX_CONNECTIONS_PER_USER=off', 'one user may take all connections'],
  sessionsPerUser: [
    'of the gateway MAX_SESSIONS_PER_USER=off',
    "one user's sessions without a connection may take all of Redis' memory",
  ],
  membersPerRoom: ['of the gateway MAX_MEMBERS_PER_ROOM=off', 'a room may have any number of members'],
  connectionsPerAddress: [
    'of the gateway MAX_CONNECTIONS_PER_ADDRESS=off',
    'one address may take all connections',
  ],
  connectionsPerNode: [
    'of the gateway MAX_CONNECTIONS=off',
    'the node takes connections until it has no memory left',
  ],
  handshakesPerAddress: [
    'of the gateway MAX_HANDSHAKES_PER_ADDRESS=off',
    'one address may keep the node busy with handshakes',
  ],
  handshakesPerSecond: [
    'of the gateway MAX_HANDSHAKES_PER_SECOND=off',
    'handshakes may take all of the node',
  ],
  halfOpen: ['of the gateway MAX_HALF_OPEN=off', 'connections without a request may take all of the node'],
};

/** Finds options with which a node is not safe before strangers: a line for each, with its remedy. */
export function unsafeOptions({ auth, origins, limits = {} }: WssOptions): string[] {
  const off = (Object.keys(LIMITS) as MayBeOff[]).filter((name) => limits[name] === false);
  return [
    ...(auth === 'none'
      ? [
          "the option auth is 'none' (of the gateway AUTH=none): everybody may connect under any name; do not let strangers reach this node",
        ]
      : []),
    ...(origins === undefined && auth !== 'none'
      ? [
          'the option origins is not set (of the gateway ALLOWED_ORIGINS): pages of other hosts get 403; list the origins of your pages',
        ]
      : []),
    ...(origins !== 'local' && origins?.includes('*')
      ? [
          "the option origins has '*' (of the gateway ALLOWED_ORIGINS=*): pages of any site may connect in the name of its visitors; list your own",
        ]
      : []),
    ...off.map((name) => {
      const [variable, harm] = LIMITS[name];
      return `the option limits.${name} is false (${variable}): ${harm}; set a number`;
    }),
  ];
}

import { checkWssOptions, type WssAuth, type WssOptions, type WssRedisOptions } from '@wss/nest';
import type { Config } from './config.js';

/** Part of the shutdown's time reserved for the steps after the clients have gone, ms. */
const CLOSING_MS = 3_000;

/** The variable that each option comes from, and what its text may be besides. */
const VARIABLES: Readonly<Record<string, readonly [name: keyof Config, hint?: string]>> = {
  path: ['WS_PATH'],
  'redis.url': ['REDIS_SERVER'],
  'redis.namespace': ['WSS_NAMESPACE'],
  'redis.durableReplicas': ['DURABLE_REPLICAS'],
  'auth.jwt.secret': ['JWT_SECRET'],
  'auth.jwt.publicKey': ['JWT_PUBLIC_KEY'],
  'auth.jwt.jwksUrl': ['JWT_JWKS_URL'],
  'auth.jwt.issuer': ['JWT_ISSUER'],
  'auth.jwt.audience': ['JWT_AUDIENCE'],
  'auth.jwt.userClaim': ['JWT_USER_CLAIM'],
  origins: ['ALLOWED_ORIGINS', '; commas separate them'],
  'session.ttlMs': ['SESSION_TTL_MS'],
  'session.secret': ['SESSION_SECRET', ', one a line'],
  'presence.graceMs': ['PRESENCE_GRACE_MS'],
  'drain.delayMs': ['DRAIN_DELAY_MS'],
  'drain.windowMs': ['DRAIN_WINDOW_MS'],
  'limits.maxRooms': ['MAX_ROOMS_PER_SESSION'],
  'limits.framesPerSecond': ['MAX_FRAMES_PER_SECOND'],
  'limits.bytesPerSecond': ['MAX_BYTES_PER_SECOND'],
  maxTokenAgeMs: ['MAX_TOKEN_AGE_MS'],
  'limits.connectionsPerAddress': ['MAX_CONNECTIONS_PER_ADDRESS'],
  'limits.connectionsPerUser': ['MAX_CONNECTIONS_PER_USER'],
  'limits.sessionsPerUser': ['MAX_SESSIONS_PER_USER'],
  'limits.membersPerRoom': ['MAX_MEMBERS_PER_ROOM'],
  'limits.connectionsPerNode': ['MAX_CONNECTIONS'],
  'limits.handshakesPerAddress': ['MAX_HANDSHAKES_PER_ADDRESS'],
  'limits.handshakesPerSecond': ['MAX_HANDSHAKES_PER_SECOND'],
  'limits.halfOpen': ['MAX_HALF_OPEN'],
  'limits.handshakeMs': ['HANDSHAKE_TIMEOUT_MS'],
  trustedProxies: ['TRUSTED_PROXIES', '; commas separate them'],
};

/** The fault of a variable: `<name> <problem>`. */
export interface VariableProblem {
  readonly name: string;
  readonly problem: string;
}

/**
 * Finds what is wrong with the variables that become options, whether the node will use them or not. Variables that
 * contradict each other are the configuration's own affair.
 */
export function optionProblems(config: Config): VariableProblem[] {
  const { auth: _auth, redis, drain, ...others } = wssOptionsOf(config);
  const hasKey = config.JWT_SECRET ?? config.JWT_PUBLIC_KEY ?? config.JWT_JWKS_URL;
  const found = checkWssOptions({
    ...others,
    redis: redis ?? redisOptions('redis://unused', config),
    auth: hasKey === undefined ? 'none' : tokensOf(config),
    // The rest of the time for a shutdown is a difference.
    drain: { delayMs: drain?.delayMs, windowMs: drain?.windowMs },
  });
  return found.flatMap(({ option, problem }) => {
    // Several keys for tokens: a contradiction.
    if (option === 'auth.jwt') return [];
    const [name, hint = ''] = VARIABLES[option] ?? [option];
    // No variable is `false`.
    return [{ name, problem: `${problem.replace(/, or false$/, ', or off')}${hint}` }];
  });
}

/** The options of the node, as the environment gives them. */
export function wssOptionsOf(config: Config): WssOptions {
  const { WS_PATH, ALLOWED_ORIGINS, SESSION_TTL_MS, SESSION_SECRET, PRESENCE_GRACE_MS } = config;
  return {
    path: WS_PATH,
    redis: redisOf(config),
    auth: authOf(config),
    ...(ALLOWED_ORIGINS && { origins: ALLOWED_ORIGINS }),
    ...(config.TRUSTED_PROXIES && { trustedProxies: config.TRUSTED_PROXIES }),
    session: {
      ttlMs: SESSION_TTL_MS,
      ...(SESSION_SECRET !== undefined && { secret: SESSION_SECRET }),
    },
    presence: { graceMs: PRESENCE_GRACE_MS },
    drain: {
      delayMs: config.DRAIN_DELAY_MS,
      windowMs: config.DRAIN_WINDOW_MS,
      timeoutMs: Math.max(0, config.SHUTDOWN_TIMEOUT_MS - CLOSING_MS),
    },
    limits: {
      maxRooms: config.MAX_ROOMS_PER_SESSION,
      framesPerSecond: config.MAX_FRAMES_PER_SECOND,
      bytesPerSecond: config.MAX_BYTES_PER_SECOND,
      connectionsPerAddress: config.MAX_CONNECTIONS_PER_ADDRESS,
      ...(config.MAX_CONNECTIONS_PER_USER !== undefined && {
        connectionsPerUser: config.MAX_CONNECTIONS_PER_USER,
      }),
      sessionsPerUser: config.MAX_SESSIONS_PER_USER,
      ...(config.MAX_MEMBERS_PER_ROOM !== undefined && { membersPerRoom: config.MAX_MEMBERS_PER_ROOM }),
      connectionsPerNode: config.MAX_CONNECTIONS,
      handshakesPerAddress: config.MAX_HANDSHAKES_PER_ADDRESS,
      handshakesPerSecond: config.MAX_HANDSHAKES_PER_SECOND,
      halfOpen: config.MAX_HALF_OPEN,
      handshakeMs: config.HANDSHAKE_TIMEOUT_MS,
    },
    single: config.SINGLE_CONNECTION === '1',
    maxTokenAgeMs: config.MAX_TOKEN_AGE_MS,
  };
}

function redisOf(config: Config): WssOptions['redis'] {
  return config.REDIS_SERVER === undefined ? undefined : redisOptions(config.REDIS_SERVER, config);
}

function redisOptions(url: string, { WSS_NAMESPACE, DURABLE_REPLICAS }: Config): WssRedisOptions {
  return { url, namespace: WSS_NAMESPACE, durableReplicas: DURABLE_REPLICAS };
}

function authOf(config: Config): WssAuth {
  return config.AUTH === 'none' ? 'none' : tokensOf(config);
}

function tokensOf(config: Config): WssAuth {
  return {
    jwt: {
      secret: config.JWT_SECRET,
      publicKey: config.JWT_PUBLIC_KEY,
      jwksUrl: config.JWT_JWKS_URL,
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
      userClaim: config.JWT_USER_CLAIM,
    },
  };
}

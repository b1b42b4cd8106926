import type { WssAuth, WssOptions } from '@wss/nest';
import type { Config } from './config.js';

/** Part of the shutdown's time reserved for the steps after the clients have gone, ms. */
const CLOSING_MS = 3_000;

/** The options of the node, as the environment gives them. */
export function wssOptionsOf(config: Config): WssOptions {
  const { WS_PATH, ALLOWED_ORIGINS, SESSION_TTL_MS, SESSION_SECRET, PRESENCE_GRACE_MS } = config;
  return {
    path: WS_PATH,
    redis: redisOf(config),
    auth: authOf(config),
    ...(ALLOWED_ORIGINS && { origins: ALLOWED_ORIGINS }),
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
    limits: { maxRooms: config.MAX_ROOMS_PER_SESSION },
  };
}

function redisOf({ REDIS_SERVER, WSS_NAMESPACE, DURABLE_REPLICAS }: Config): WssOptions['redis'] {
  if (REDIS_SERVER === undefined) return undefined;
  return { url: REDIS_SERVER, namespace: WSS_NAMESPACE, durableReplicas: DURABLE_REPLICAS };
}

function authOf({ AUTH, ...config }: Config): WssAuth {
  if (AUTH === 'none') return 'none';
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

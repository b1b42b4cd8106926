import { BYTES_PER_SECOND, FRAMES_PER_SECOND, HANDSHAKE_MS, type UpgradeLimits } from '@wss/messaging';
import { checkWssOptions, linesOf } from './check-options.js';
import type { PlaceLimit } from '@wss/cluster';
import { unsafeOptions } from './unsafe-options.js';
import type { WssAuth, WssDrainOptions, WssOptions } from './wss-options.js';

/** The options of `WssModule` with their defaults. */
export abstract class WssSettings {
  abstract readonly path: string;
  /** Absent: the embedded engine. */
  abstract readonly redisUrl: string | undefined;
  abstract readonly namespace: string;
  abstract readonly durableReplicas: number;
  abstract readonly auth: WssAuth;
  abstract readonly origins: readonly string[] | 'local';
  abstract readonly sessionTtlMs: number;
  /** Absent: the nodes agree on one. */
  abstract readonly sessionSecrets: readonly string[] | undefined;
  abstract readonly presenceGraceMs: number;
  abstract readonly drain: Required<WssDrainOptions>;
  abstract readonly maxRooms: number;
  abstract readonly connectionsPerUser: PlaceLimit;
  abstract readonly membersPerRoom: PlaceLimit;
  /** Infinity without a limit. */
  abstract readonly sessionsPerUser: number;
  /** Infinity without a limit. */
  abstract readonly framesPerSecond: number;
  /** Infinity without a limit. */
  abstract readonly bytesPerSecond: number;
  abstract readonly single: boolean;
  abstract readonly maxTokenAgeMs: number;
  /** Limits of upgrades, and the proxies before the node. */
  abstract readonly upgrades: UpgradeLimits;
  abstract readonly connect: NonNullable<WssOptions['connect']>;
  abstract readonly globalEnhancers: boolean;
  /** Lines about options that are not safe before strangers. */
  abstract readonly unsafe: readonly string[];
}

/** Options are bad; the message names every one. */
export class BadWssOptions extends Error {}

/**
 * Checks options and fills in the defaults.
 * @throws BadWssOptions
 */
export function settingsOf(options: WssOptions): WssSettings {
  const problems = checkWssOptions(options).map(({ option, problem }) => `${option} ${problem}`);
  if (problems.length > 0) {
    throw new BadWssOptions(`bad options of WssModule:\n  ${problems.join('\n  ')}`);
  }
  const { auth, drain = {}, session = {}, presence = {}, limits = {} } = options;
  const redis = typeof options.redis === 'string' ? { url: options.redis } : options.redis;
  const { secret } = session;
  return {
    path: options.path ?? '/',
    redisUrl: redis?.url,
    namespace: redis?.namespace ?? 'wss',
    durableReplicas: redis?.durableReplicas ?? 0,
    auth,
    origins: options.origins ?? (auth === 'none' ? 'local' : []),
    sessionTtlMs: session.ttlMs ?? 86_400_000,
    sessionSecrets: typeof secret === 'string' ? linesOf(secret) : secret,
    presenceGraceMs: presence.graceMs ?? 5_000,
    drain: {
      delayMs: drain.delayMs ?? 0,
      windowMs: drain.windowMs ?? 2_000,
      timeoutMs: drain.timeoutMs ?? 20_000,
    },
    maxRooms: limits.maxRooms ?? 1_000,
    connectionsPerUser: placesOf(limits.connectionsPerUser, { most: 1_000, from: 10 }),
    membersPerRoom: placesOf(limits.membersPerRoom, { most: 100_000, from: 1_000 }),
    sessionsPerUser: limitOf(limits.sessionsPerUser, 1_000),
    framesPerSecond: limitOf(limits.framesPerSecond, FRAMES_PER_SECOND),
    bytesPerSecond: limitOf(limits.bytesPerSecond, BYTES_PER_SECOND),
    single: options.single ?? false,
    maxTokenAgeMs: options.maxTokenAgeMs ?? 2_592_000_000,
    upgrades: upgradeLimitsOf(options),
    connect: options.connect ?? [],
    globalEnhancers: options.globalEnhancers ?? true,
    unsafe: unsafeOptions(options),
  };
}

function upgradeLimitsOf({ limits = {}, trustedProxies }: WssOptions): UpgradeLimits {
  return {
    trustedProxies,
    connectionsPerAddress: limitOf(limits.connectionsPerAddress, 5_000),
    connectionsPerNode: limitOf(limits.connectionsPerNode, 100_000),
    handshakesPerAddress: limitOf(limits.handshakesPerAddress, 200),
    handshakesPerSecond: limitOf(limits.handshakesPerSecond, 1_000),
    halfOpen: limitOf(limits.halfOpen, 4_096),
    handshakeMs: limits.handshakeMs ?? HANDSHAKE_MS,
  };
}

/** A limit that was chosen counts from the first place on. */
function placesOf(given: number | false | undefined, byDefault: PlaceLimit): PlaceLimit {
  return given === undefined ? byDefault : { most: given === false ? Infinity : given };
}

function limitOf(given: number | false | undefined, byDefault: number): number {
  return given === false ? Infinity : (given ?? byDefault);
}

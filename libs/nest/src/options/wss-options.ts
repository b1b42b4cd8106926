import type { CanActivate, Type } from '@nestjs/common';
import type { Admission } from '@wss/messaging';

/** Where shared data lives. */
export interface WssRedisOptions {
  /**
   * The same for all nodes: `redis://host:6379`, `redis://host1,host2` (a Redis Cluster) or
   * `redis+sentinel://host1,host2/master`; with TLS `rediss://…`.
   */
  readonly url: string;
  /**
   * Name of the environment, 1 to 32 characters of `A-Z a-z 0-9 _ -`; nodes with different names on one Redis never
   * meet. Default `wss`.
   */
  readonly namespace?: string;
  /**
   * Replicas of Redis that may be promoted, 0 to 10: a durable reply waits for all of them. Default 0: no room may be
   * durable.
   */
  readonly durableReplicas?: number;
}

/** How signed tokens (JWT) are verified; one of `secret`, `publicKey` and `jwksUrl` is needed. */
export interface WssJwtOptions {
  /** Key of HS256 tokens, at least 32 characters. */
  readonly secret?: string;
  /** Public key of RS256 or ES256 tokens, PEM. */
  readonly publicKey?: string;
  /** URL at which the public keys of RS256 or ES256 tokens are published. */
  readonly jwksUrl?: string;
  /** Issuer that tokens must name. Default: any. */
  readonly issuer?: string;
  /** Audience that tokens must name. Default: any. */
  readonly audience?: string;
  /** Claim that names the user. Default `sub`. */
  readonly userClaim?: string;
}

/**
 * Decides who may connect.
 *
 * - `'none'`: everybody, as the user in `?user=` or as a guest; for development.
 * - `jwt`: clients with a signed token. All of its claims are at `command.client.claims`.
 * - `use`: a class of yours. The instance that a module provides is used; without one it is made, with what the
 *   `imports` of `forRootAsync` export.
 */
export type WssAuth = 'none' | { readonly jwt: WssJwtOptions } | { readonly use: Type<Admission> };

/** Sessions of clients that speak the subprotocol `wss.v1`. */
export interface WssSessionOptions {
  /**
   * How long a session can be resumed after its connection was lost, ms, 1,000 to 86,400,000; up to an eighth less.
   * Default 86,400,000, a day.
   */
  readonly ttlMs?: number;
  /**
   * Secrets of resume tokens, each at least 32 characters; a text has one per line. The first signs, all verify.
   * Default: the nodes agree on one through Redis.
   */
  readonly secret?: string | readonly string[];
}

/** Settings of presence. */
export interface WssPresenceOptions {
  /**
   * How long a user whose last client in a room was cut off still counts as present, ms, 0 to 50,000. Default 5,000.
   */
  readonly graceMs?: number;
}

/**
 * How clients are let go when the application closes: in `beforeApplicationShutdown`, so close what handlers use in
 * `onApplicationShutdown`.
 */
export interface WssDrainOptions {
  /** How long to wait for the balancer before the first client goes, ms, 0 to 600,000. Default 0. */
  readonly delayMs?: number;
  /** Time over which their departure is spread, and so their return, ms, 0 to 600,000. Default 2,000. */
  readonly windowMs?: number;
  /** When the last of them is let go at the latest, ms after the close began, 0 to 600,000. Default 20,000. */
  readonly timeoutMs?: number;
}

/** Limits of clients. */
export interface WssLimits {
  /** Rooms that a session, or a connection without one, may be in at a time, 1 to 100,000. Default 1,000. */
  readonly maxRooms?: number;
  /**
   * Connections of a user over all nodes, 1 to 1,000,000; beyond it upgrades get 429. `false`: any number. Default 1,000,
   * of which nodes where the user has fewer than 10 do not count theirs.
   */
  readonly connectionsPerUser?: number | false;
  /**
   * Sessions of a user that have no connection, over all nodes, 1 to 1,000,000; of more, those that lost it longest ago end.
   * Keep it at or above {@link connectionsPerUser}, so that all of a user's clients may lose their connections at once.
   * `false`: any number. Default 1,000.
   */
  readonly sessionsPerUser?: number | false;
  /**
   * Members of a room over all nodes, 1 to 10,000,000, unless its kind says otherwise; beyond it `$join` is `limit`. `false`:
   * any number. Default 100,000, of which nodes with fewer than 1,000 of them do not count theirs.
   */
  readonly membersPerRoom?: number | false;
  /**
   * Frames that a client may send per second, 1 to 1,000,000; pings, pongs and fragments count. Five seconds' worth may
   * be sent at once; beyond that the client is read more slowly, and nothing is lost. `false`: any number. Default 1,000.
   */
  readonly framesPerSecond?: number | false;
  /** The same for bytes, 16,384 to 1,000,000,000. Default 1,048,576. */
  readonly bytesPerSecond?: number | false;
  /**
   * Connections of one address on a node, 1 to 1,000,000; of IPv6 a /64 counts as one address. Addresses of private networks
   * count only with {@link trustedProxies}, because a proxy may stand there. Beyond it upgrades get 429. `false`: any
   * number. Default 5,000.
   */
  readonly connectionsPerAddress?: number | false;
  /** Connections of a node, 1 to 10,000,000; beyond it upgrades get 503. `false`: any number. Default 100,000. */
  readonly connectionsPerNode?: number | false;
  /**
   * Upgrades per second of one address, 1 to 1,000,000; ten seconds' worth may come at once. Beyond it they get 429.
   * `false`: any number. Default 200.
   */
  readonly handshakesPerAddress?: number | false;
  /** The same of all addresses on a node; beyond it upgrades get 503. Default 1,000. */
  readonly handshakesPerSecond?: number | false;
  /**
   * Connections of a node's server that have sent no complete request yet, 4 to 1,000,000, a quarter of them of one
   * address; of more the oldest are cut. `false`: any number. Default 4,096.
   */
  readonly halfOpen?: number | false;
  /**
   * How long the first request of a connection may take to come, and after it `auth`, the guards of `connect` and Redis
   * to answer, ms, 1,000 to 60,000. Default 10,000.
   */
  readonly handshakeMs?: number;
}

/** Options of `WssModule`. They are checked as a whole at boot: the error names every bad one. */
export interface WssOptions {
  /** Path of the WebSocket, e.g. `/live`, as clients ask for it: without a `/` at its end. Default `/`. */
  readonly path?: string;
  /** Where shared data lives: a URL, or more settings. Default: an engine inside the process, for one node alone. */
  readonly redis?: string | WssRedisOptions;
  /** Admission. There is no default: a server that lets everybody in says so. */
  readonly auth: WssAuth;
  /**
   * Origins whose web pages may connect, as browsers send them, e.g. `https://app.example`; `*`: all. Pages of the
   * server's own host always may, and so may clients that are no browsers. `'local'`: pages of any port of this host
   * and of localhost. They are checked before {@link auth} is asked. Default `'local'` with `auth: 'none'`, else none.
   */
  readonly origins?: readonly string[] | 'local';
  /**
   * Guards that are asked at each upgrade, resumes included, after {@link auth}: classes or instances, in order. In
   * their context `getClient()` is `{user, claims, request, address}` and `getPattern()` `$connect`. Claims that they add or change are at `command.client.claims`. Default none.
   */
  readonly connect?: readonly (Type<CanActivate> | CanActivate)[];
  /**
   * Networks of your proxies, e.g. `10.0.0.0/8` or one address. The address of a client is read from `X-Forwarded-For`,
   * from the right, through these networks alone; `[]`: no proxy stands before the nodes. Default: not known, so none is
   * trusted.
   */
  readonly trustedProxies?: readonly string[];
  readonly session?: WssSessionOptions;
  readonly presence?: WssPresenceOptions;
  readonly drain?: WssDrainOptions;
  readonly limits?: WssLimits;
  /**
   * True if a user may have only one connection: a newer one closes the older ones with 4503, on all nodes. Default
   * false.
   */
  readonly single?: boolean;
  /**
   * Longest life of your tokens, ms, 60,000 to 31,622,400,000 (a year): a revocation of a user is kept for that long, and
   * a token that was issued earlier is refused. Default 2,592,000,000, 30 days.
   */
  readonly maxTokenAgeMs?: number;
  /**
   * True if guards, interceptors and pipes of the whole application (`APP_GUARD` and the like,
   * `app.useGlobalGuards()`) run on commands too, as on messages of Nest's gateways; default true. They never run on
   * `$` events, nor on cluster events, calls and jobs. Filters of the whole application run on none of these.
   */
  readonly globalEnhancers?: boolean;
}

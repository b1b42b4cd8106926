import { Transform } from 'class-transformer';
import { IsIn, IsOptional, IsString, MinLength, ValidateBy } from 'class-validator';

const toNumber = Transform(({ value }) => (typeof value === 'string' ? Number(value) : (value as unknown)));

/** A limit that may be `off`. */
const toLimit = Transform(({ value }) => {
  if (typeof value !== 'string') return value as unknown;
  return value.trim() === 'off' ? false : Number(value);
});

/** An integer, both ends included. */
const IsInteger = (min: number, max: number, hint = ''): PropertyDecorator =>
  ValidateBy({
    name: 'isInteger',
    validator: {
      validate: (value) =>
        Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
      defaultMessage: () => `$property must be an integer from ${min} to ${max}${hint}`,
    },
  });

/** The value becomes an option of `WssModule`, whose check stands there, once. */
const IsOption: PropertyDecorator = IsOptional();

const LOG_LEVELS = ['error', 'warn', 'log', 'info', 'debug', 'verbose'] as const;

/** The process environment, typed. An empty variable counts as unset. This file is the only reader of `process.env`. */
export class Config {
  /** TCP port of HTTP and WebSocket; unset or 0: a random free one. */
  @toNumber
  @IsInteger(0, 65_535, '; unset or 0: a random free port')
  readonly SERVER_PORT: number = 0;

  /**
   * Address to listen on. Unset: all addresses; with `AUTH=none` those that only this machine reaches, 127.0.0.1 and
   * ::1.
   */
  @IsOptional()
  @IsString()
  readonly SERVER_HOST?: string;

  /**
   * `redis://host`, `redis://host1,host2` (a Redis Cluster) or `redis+sentinel://host1,host2/master`, `rediss…` with TLS;
   * the same for all nodes.
   * Unset: the embedded engine, for one node alone.
   */
  @IsOption
  readonly REDIS_SERVER?: string;

  /**
   * For development: file that keeps the embedded engine's data from a stop in order to the next start. The start takes
   * it away, so after a crash nothing is kept. Unset: nothing is kept.
   */
  @IsOptional()
  @IsString()
  readonly ENGINE_FILE?: string;

  /** Name of the environment; nodes with different names on one Redis never meet. */
  @IsOption
  readonly WSS_NAMESPACE: string = 'wss';

  /** Path of the WebSocket. */
  @IsOption
  readonly WS_PATH: string = '/';

  /** Admission. `jwt`: clients must present a signed token. `none`: anyone, as the user in `?user=`; for development. */
  @IsIn(['jwt', 'none'], {
    message: ({ value }) =>
      `AUTH ${value === undefined ? 'is missing' : 'must be jwt or none'}: set JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL for signed tokens, or AUTH=none to let everybody in under any name`,
  })
  readonly AUTH!: 'jwt' | 'none';

  /** Key of HS256 tokens, at least 32 characters; or `JWT_SECRET_FILE`. */
  @IsOption
  readonly JWT_SECRET?: string;

  /** Public key of RS256 or ES256 tokens, PEM; or `JWT_PUBLIC_KEY_FILE`. */
  @IsOption
  readonly JWT_PUBLIC_KEY?: string;

  /** URL at which the public keys of RS256 or ES256 tokens are published. */
  @IsOption
  readonly JWT_JWKS_URL?: string;

  /** Issuer that tokens must name. */
  @IsOption
  readonly JWT_ISSUER?: string;

  /** Audience that tokens must name. */
  @IsOption
  readonly JWT_AUDIENCE?: string;

  /** Claim that names the user. */
  @IsOption
  readonly JWT_USER_CLAIM: string = 'sub';

  /**
   * Origins whose pages may connect, comma-separated, e.g. `https://app.example`; `*`: all; `local`: any port of
   * this host and of localhost. The same host always may. Unset: none but the same host; with `AUTH=none` `local`.
   */
  @Transform(({ value }) => (typeof value === 'string' ? originsOf(value) : (value as unknown)))
  @IsOption
  readonly ALLOWED_ORIGINS?: readonly string[] | 'local';

  /** `1`: the demo page is served. Unset: with `AUTH=none` only. With `AUTH=none` it shows the nodes, and in development ends them. */
  @IsOptional()
  @IsIn(['0', '1'], { message: 'DEMO must be 1 or 0' })
  readonly DEMO?: '0' | '1';

  /** `public`: the contract is served where clients need a token, too. With `AUTH=none` it always is. */
  @IsOptional()
  @IsIn(['public', 'private'], { message: 'CONTRACT must be public or private' })
  readonly CONTRACT?: 'public' | 'private';

  /**
   * Secrets for resume tokens, one per line, each at least 32 characters: the first signs, all verify; or
   * `SESSION_SECRET_FILE`. Unset: the nodes agree on one through the engine.
   */
  @IsOption
  readonly SESSION_SECRET?: string;

  /** How long a session can be resumed after its connection was lost, ms; up to an eighth less. At most a day. */
  @toNumber
  @IsOption
  readonly SESSION_TTL_MS: number = 86_400_000;

  /** Rooms that a session, or a connection without one, may be in at a time. */
  @toNumber
  @IsOption
  readonly MAX_ROOMS_PER_SESSION: number = 1_000;

  /** Frames that a client may send per second; beyond that it is read slowly. `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_FRAMES_PER_SECOND: number | false = 1_000;

  /** The same for bytes. */
  @toLimit
  @IsOption
  readonly MAX_BYTES_PER_SECOND: number | false = 1_048_576;

  /** Connections of one address; `off`: any number. Addresses of private networks count only with `TRUSTED_PROXIES`. */
  @toLimit
  @IsOption
  readonly MAX_CONNECTIONS_PER_ADDRESS: number | false = 5_000;

  /** Connections of one user over all nodes; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_CONNECTIONS_PER_USER?: number | false;

  /** Sessions of one user without a connection, over all nodes; of more the oldest end. `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_SESSIONS_PER_USER: number | false = 1_000;

  /** Members of one room over all nodes; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_MEMBERS_PER_ROOM?: number | false;

  /** Connections of this node; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_CONNECTIONS: number | false = 100_000;

  /** Upgrades per second of one address, ten seconds' worth at once; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_HANDSHAKES_PER_ADDRESS: number | false = 200;

  /** Upgrades per second, ten seconds' worth at once; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_HANDSHAKES_PER_SECOND: number | false = 1_000;

  /** Connections that have sent no complete request; `off`: any number. */
  @toLimit
  @IsOption
  readonly MAX_HALF_OPEN: number | false = 4_096;

  /** How long a connection's first request may take to come, and its admission after it, ms. */
  @toNumber
  @IsOption
  readonly HANDSHAKE_TIMEOUT_MS: number = 10_000;

  /**
   * Networks of the proxies before this node, comma-separated, e.g. `10.0.0.0/8`; `none`: there are none. Unset: not known,
   * so `X-Forwarded-For` does not count, nor do addresses of private networks.
   */
  @Transform(({ value }) => (typeof value === 'string' ? networksOf(value) : (value as unknown)))
  @IsOption
  readonly TRUSTED_PROXIES?: readonly string[];

  /** `1`: a user may have only one connection; a newer one closes the older ones, on all nodes. */
  @IsOptional()
  @IsIn(['0', '1'], { message: 'SINGLE_CONNECTION must be 1 or 0' })
  readonly SINGLE_CONNECTION?: '0' | '1';

  /** Longest life of tokens, ms: a revocation of a user is kept for that long, and older tokens are refused. */
  @toNumber
  @IsOption
  readonly MAX_TOKEN_AGE_MS: number = 2_592_000_000;

  /** How long a stopping node waits for the balancer to notice before it lets clients go, ms. */
  @toNumber
  @IsOption
  readonly DRAIN_DELAY_MS: number = 0;

  /** Time over which a stopping node spreads the departure of its clients, and so their return, ms. */
  @toNumber
  @IsOption
  readonly DRAIN_WINDOW_MS: number = 2_000;

  /** Replicas of Redis that may be promoted: a durable reply waits for all of them. 0: no room may be durable. */
  @toNumber
  @IsOption
  readonly DURABLE_REPLICAS: number = 0;

  /**
   * How long a user whose last client in a room was cut off still counts as present, in case the client comes back,
   * ms.
   */
  @toNumber
  @IsOption
  readonly PRESENCE_GRACE_MS: number = 5_000;

  /**
   * Upper limit for the whole shutdown, ms. Keep it below the grace period of the supervisor that stops the process.
   */
  @toNumber
  @IsInteger(100, 600_000)
  readonly SHUTDOWN_TIMEOUT_MS: number = 25_000;

  /**
   * TCP port of metrics, for operators only; 0: a random free one. Unset: none, but in development (`AUTH=none`) a
   * random free one of 127.0.0.1.
   */
  @IsOptional()
  @toNumber
  @IsInteger(0, 65_535, '; 0: a random free port')
  readonly MANAGEMENT_PORT?: number;

  /**
   * Token that requests for metrics must carry (`Authorization: Bearer …`), ≥ 32 characters; or
   * `MANAGEMENT_TOKEN_FILE`.
   */
  @IsOptional()
  @MinLength(32, { message: 'MANAGEMENT_TOKEN must have at least 32 characters' })
  readonly MANAGEMENT_TOKEN?: string;

  /** `json`: a line of JSON for each log message; `text`: lines for people. Unset: `json` in production. */
  @IsOptional()
  @IsIn(['json', 'text'], { message: 'LOG_FORMAT must be json or text' })
  readonly LOG_FORMAT?: 'json' | 'text';

  /** The least important level that is written. `log` and `info` are the same. */
  @IsIn(LOG_LEVELS, { message: `LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}` })
  readonly LOG_LEVEL: (typeof LOG_LEVELS)[number] = 'log';

  /** `line`: the start ends with the line that names node and URL alone, where another process sums up its nodes. */
  @IsIn(['full', 'line'], { message: 'SUMMARY must be full or line' })
  readonly SUMMARY: 'full' | 'line' = 'full';

  /** `production` makes logs JSON lines unless `LOG_FORMAT` says otherwise. */
  @IsOptional()
  @IsString()
  readonly NODE_ENV?: string;
}

/** The addresses to listen on: the first must be there, the second may be absent. */
export function addressesOf({ SERVER_HOST, AUTH }: Config): readonly [string, string?] {
  if (SERVER_HOST !== undefined) return [SERVER_HOST];
  return AUTH === 'none' ? ['127.0.0.1', '::1'] : ['0.0.0.0'];
}

/** The networks of a text; `none` alone is a word of its own. */
function networksOf(list: string): readonly string[] {
  return list.trim() === 'none' ? [] : itemsOf(list);
}

/** The origins of a text; `local` alone is a word of its own. */
function originsOf(list: string): readonly string[] | 'local' {
  if (list.trim() === 'local') return 'local';
  return itemsOf(list);
}

function itemsOf(list: string): readonly string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { plainToInstance, Transform } from 'class-transformer';
import {
  getMetadataStorage,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  validateSync,
} from 'class-validator';
import { parseRedisTarget } from '@wss/redis';

const toNumber = Transform(({ value }) => (typeof value === 'string' ? Number(value) : (value as unknown)));

const IsRedisUrl = ValidateBy({
  name: 'isRedisUrl',
  validator: {
    validate: (value) => problemOf(value) === undefined,
    defaultMessage: (args) => `REDIS_SERVER is not an address of Redis: ${problemOf(args?.value)}`,
  },
});

const AreSecrets = ValidateBy({
  name: 'areSecrets',
  validator: {
    validate: (value) =>
      typeof value === 'string' &&
      secretsOf(value).length > 0 &&
      secretsOf(value).every(({ length }) => length >= 32),
    defaultMessage: () => 'SESSION_SECRET must have at least 32 characters, in each of its lines',
  },
});

const AreOrigins = ValidateBy({
  name: 'areOrigins',
  validator: {
    validate: (value) => Array.isArray(value) && value.every(isOrigin),
    defaultMessage: () =>
      'ALLOWED_ORIGINS must be origins as browsers send them, separated by commas, e.g. https://app.example',
  },
});

const IsPublicKey = ValidateBy({
  name: 'isPublicKey',
  validator: {
    validate: (value) => typeof value === 'string' && isPublicKey(value),
    defaultMessage: () => 'JWT_PUBLIC_KEY is not a public key in PEM form',
  },
});

const LOG_LEVELS = ['error', 'warn', 'log', 'info', 'debug', 'verbose'] as const;

/** The process environment, typed. An empty variable counts as unset. This file is the only reader of `process.env`. */
export class Config {
  /** TCP port of HTTP and WebSocket; unset or 0: a random free one. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(65_535)
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
  @IsOptional()
  @IsRedisUrl
  readonly REDIS_SERVER?: string;

  /**
   * For development: file that keeps the embedded engine's data from a stop in order to the next start. The start takes
   * it away, so after a crash nothing is kept. Unset: nothing is kept.
   */
  @IsOptional()
  @IsString()
  readonly ENGINE_FILE?: string;

  /** Name of the environment; nodes with different names on one Redis never meet. */
  @Matches(/^[A-Za-z0-9_-]{1,32}$/, {
    message: 'WSS_NAMESPACE must be 1 to 32 characters of A-Z a-z 0-9 _ -',
  })
  readonly WSS_NAMESPACE: string = 'wss';

  /** Path of the WebSocket. */
  @Matches(/^\/$|^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)+$/, {
    message: 'WS_PATH must be a path that starts with / and does not end with it, such as /live',
  })
  readonly WS_PATH: string = '/';

  /** Admission. `jwt`: clients must present a signed token. `none`: anyone, as the user in `?user=`; for development. */
  @IsIn(['jwt', 'none'], {
    message:
      'AUTH is missing: set JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL for signed tokens, or AUTH=none to let everybody in under any name',
  })
  readonly AUTH!: 'jwt' | 'none';

  /** Key of HS256 tokens, at least 32 characters; or `JWT_SECRET_FILE`. */
  @IsOptional()
  @MinLength(32, { message: 'JWT_SECRET must have at least 32 characters' })
  readonly JWT_SECRET?: string;

  /** Public key of RS256 or ES256 tokens, PEM; or `JWT_PUBLIC_KEY_FILE`. */
  @IsOptional()
  @IsPublicKey
  readonly JWT_PUBLIC_KEY?: string;

  /** URL at which the public keys of RS256 or ES256 tokens are published. */
  @IsOptional()
  @IsUrl(
    { protocols: ['http', 'https'], require_tld: false },
    { message: 'JWT_JWKS_URL must be an http(s) URL' },
  )
  readonly JWT_JWKS_URL?: string;

  /** Issuer that tokens must name. */
  @IsOptional()
  @IsString()
  readonly JWT_ISSUER?: string;

  /** Audience that tokens must name. */
  @IsOptional()
  @IsString()
  readonly JWT_AUDIENCE?: string;

  /** Claim that names the user. */
  @IsString()
  readonly JWT_USER_CLAIM: string = 'sub';

  /**
   * Origins whose pages may connect, comma-separated, e.g. `https://app.example`; `*`: all. The same host always may.
   * Unset: none but the same host; with `AUTH=none` any port of this host and of localhost.
   */
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? itemsOf(value) : (value as unknown)))
  @AreOrigins
  readonly ALLOWED_ORIGINS?: readonly string[];

  /** `1`: the demo page is served where clients need a token, too. With `AUTH=none` it always is. */
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
  @IsOptional()
  @AreSecrets
  readonly SESSION_SECRET?: string;

  /** How long a session can be resumed after its connection was lost, ms; up to an eighth less. At most a day. */
  @toNumber
  @IsInt()
  @Min(1_000)
  @Max(86_400_000)
  readonly SESSION_TTL_MS: number = 86_400_000;

  /** Rooms that a session, or a connection without one, may be in at a time. */
  @toNumber
  @IsInt()
  @Min(1)
  @Max(100_000)
  readonly MAX_ROOMS_PER_SESSION: number = 1_000;

  /** How long a stopping node waits for the balancer to notice before it lets clients go, ms. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(600_000)
  readonly DRAIN_DELAY_MS: number = 0;

  /** Time over which a stopping node spreads the departure of its clients, and so their return, ms. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(600_000)
  readonly DRAIN_WINDOW_MS: number = 2_000;

  /** Replicas of Redis that may be promoted: a durable reply waits for all of them. 0: no room may be durable. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(10)
  readonly DURABLE_REPLICAS: number = 0;

  /**
   * How long a user whose last client in a room was cut off still counts as present, in case the client comes back,
   * ms.
   */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(50_000)
  readonly PRESENCE_GRACE_MS: number = 5_000;

  /**
   * Upper limit for the whole shutdown, ms. Keep it below the grace period of the supervisor that stops the process.
   */
  @toNumber
  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly SHUTDOWN_TIMEOUT_MS: number = 25_000;

  /**
   * TCP port of metrics, for operators only; 0: a random free one. Unset: none, but in development (`AUTH=none`) a
   * random free one of 127.0.0.1.
   */
  @IsOptional()
  @toNumber
  @IsInt()
  @Min(0)
  @Max(65_535)
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

/** The environment is invalid; the message names every bad variable. */
export class ConfigError extends Error {}

/** Variables that may name a file with their value, as container secrets do. */
const FROM_FILE = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'SESSION_SECRET', 'MANAGEMENT_TOKEN', 'REDIS_SERVER'];
const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'];

/**
 * True if a value is set, even one that can't be read: that error is already reported, so the variable is not
 * missing.
 */
type IsGiven = (name: string) => boolean;

/** @throws ConfigError naming every bad variable at once. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  for (const name of FROM_FILE) readFile(set, name, problems);
  const isGiven: IsGiven = (name) =>
    set[name] !== undefined || (FROM_FILE.includes(name) && set[`${name}_FILE`] !== undefined);
  if (set.AUTH === undefined && KEYS.some(isGiven)) set.AUTH = 'jwt';
  const config = plainToInstance(Config, pick(set), { exposeDefaultValues: true });
  problems.push(...validateSync(config).flatMap(({ constraints }) => Object.values(constraints ?? {})));
  problems.push(...contradictions(config, isGiven));
  if (problems.length > 0) throw new ConfigError(`bad configuration:\n  ${problems.join('\n  ')}`);
  return Object.freeze(config);
}

/** The secrets of a text with one secret per line. */
function secretsOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function readFile(env: NodeJS.ProcessEnv, name: string, problems: string[]): void {
  const file = env[`${name}_FILE`];
  if (file === undefined) return;
  if (env[name] !== undefined) problems.push(`${name} and ${name}_FILE are both set; set only one`);
  try {
    env[name] = readFileSync(file, 'utf8').trim();
  } catch (error) {
    problems.push(`${name}_FILE can't be read: ${(error as NodeJS.ErrnoException).code}, ${file}`);
  }
}

function pick(env: NodeJS.ProcessEnv): Partial<Record<keyof Config, string>> {
  const names = getMetadataStorage()
    .getTargetValidationMetadatas(Config, '', false, false)
    .map(({ propertyName }) => propertyName);
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function contradictions(config: Config, isGiven: IsGiven): string[] {
  const keys = KEYS.filter(isGiven);
  const found: string[] = [];
  if (keys.length > 1) found.push(`${keys.join(' and ')} are set; set only one of them`);
  if (config.AUTH === 'jwt' && keys.length === 0) found.push(`AUTH=jwt needs one of ${KEYS.join(', ')}`);
  if (config.AUTH === 'none' && keys.length > 0)
    found.push(`AUTH=none and ${keys.join(', ')} contradict each other`);
  if (config.AUTH === 'jwt' && config.MANAGEMENT_PORT !== undefined && !isGiven('MANAGEMENT_TOKEN'))
    found.push('MANAGEMENT_PORT needs a MANAGEMENT_TOKEN');
  if (config.ENGINE_FILE !== undefined && isGiven('REDIS_SERVER'))
    found.push('ENGINE_FILE and REDIS_SERVER are both set; Redis keeps the data, so unset ENGINE_FILE');
  if (config.ENGINE_FILE !== undefined && config.NODE_ENV === 'production')
    found.push('ENGINE_FILE is for development and promises nothing; in production set REDIS_SERVER instead');
  if (config.MANAGEMENT_PORT && config.MANAGEMENT_PORT === config.SERVER_PORT)
    found.push('MANAGEMENT_PORT and SERVER_PORT are the same; choose two different ports');
  return found;
}

function problemOf(value: unknown): string | undefined {
  try {
    parseRedisTarget(String(value));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function itemsOf(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** True if a browser may send this as `Origin`; schemes of apps have origins that `URL` does not know. */
function isOrigin(text: string): boolean {
  if (text === '*' || text === 'null') return true;
  if (!URL.canParse(text)) return false;
  const { origin } = new URL(text);
  return origin === 'null' ? /^[a-z][a-z\d+.-]*:\/\/[^/?#@\s]+$/.test(text) : origin === text;
}

function isPublicKey(pem: string): boolean {
  try {
    createPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}

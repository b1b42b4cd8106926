import { plainToInstance, Transform } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  validateSync,
} from 'class-validator';
import { parseRedisTarget } from '@wss/redis';

const toNumber = Transform(({ value }) => (typeof value === 'string' ? Number(value) : (value as unknown)));

const IsRedisUrl = ValidateBy({
  name: 'isRedisUrl',
  validator: {
    validate: (value) => problemOf(value) === undefined,
    defaultMessage: (args) => `REDIS_SERVER is no address of a Redis server: ${problemOf(args?.value)}`,
  },
});

/** The process environment, typed. An empty variable counts as unset. This file is the only reader of `process.env`. */
export class Config {
  /** TCP port of HTTP and WebSocket; unset or 0: a random free one. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly SERVER_PORT: number = 0;

  /** Address to listen on. */
  @IsString()
  readonly SERVER_HOST: string = '0.0.0.0';

  /** `redis://…` or `rediss://…`, the same for all nodes of a cluster; unset: the embedded engine, for one node alone. */
  @IsOptional()
  @IsRedisUrl
  readonly REDIS_SERVER?: string;

  /** Name of the environment; nodes with different names on one Redis never meet. */
  @Matches(/^[A-Za-z0-9_-]{1,32}$/, {
    message: 'WSS_NAMESPACE must be 1 to 32 characters of A-Z a-z 0-9 _ -',
  })
  readonly WSS_NAMESPACE: string = 'wss';

  /** Path of the WebSocket. */
  @Matches(/^\/[A-Za-z0-9_./-]*$/, { message: 'WS_PATH must be a path that starts with /' })
  readonly WS_PATH: string = '/';

  /** Who may connect. `none`: everybody, under the name in `?user=`; for development. */
  @IsIn(['none'], { message: 'AUTH must be given: none, which lets everybody in under any name' })
  readonly AUTH!: 'none';

  /** Replicas of Redis that may be promoted: a durable reply waits for all of them. 0: no room may be durable. */
  @toNumber
  @IsInt()
  @Min(0)
  @Max(10)
  readonly DURABLE_REPLICAS: number = 0;

  /** Bound of the whole shutdown, ms. Keep it under the grace period of whoever stops the process. */
  @toNumber
  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly SHUTDOWN_TIMEOUT_MS: number = 10_000;

  /** `production` makes logs JSON lines. */
  @IsOptional()
  @IsString()
  readonly NODE_ENV?: string;
}

/** The environment is not fit to start with; the message names every bad variable. */
export class ConfigError extends Error {}

/** @throws ConfigError naming every bad variable at once. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const known = new Set([...Object.keys(new Config()), 'REDIS_SERVER', 'AUTH', 'NODE_ENV']);
  const given = Object.fromEntries(
    Object.entries(env).filter(([key, value]) => known.has(key) && value !== ''),
  );
  const config = plainToInstance(Config, given, { exposeDefaultValues: true });
  const problems = validateSync(config).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  if (problems.length > 0) throw new ConfigError(`bad configuration:\n  ${problems.join('\n  ')}`);
  return Object.freeze(config);
}

function problemOf(value: unknown): string | undefined {
  try {
    parseRedisTarget(String(value));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

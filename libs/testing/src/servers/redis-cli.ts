import { Redis } from 'ioredis';

const TIMEOUT_MS = 5_000;

/** The server that a command is for. */
export interface LocalServer {
  /** Port of 127.0.0.1. */
  readonly port: number;
  readonly password?: string;
}

/**
 * Sends one command over a connection of its own, which neither outlives the call nor can be left over from before a
 * restart.
 *
 * @throws Error when the connection fails, the server refuses the command, or no reply comes within 5 s
 */
export async function redisCli(
  address: LocalServer,
  command: string,
  ...args: readonly (string | number)[]
): Promise<unknown> {
  const redis = new Redis({
    ...address,
    host: '127.0.0.1',
    retryStrategy: () => null,
    enableReadyCheck: false,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
  });
  let linkError: Error | undefined;
  redis.on('error', (error: Error) => (linkError = error));
  try {
    return await redis.call(command, ...args);
  } catch (error) {
    throw linkError ?? error;
  } finally {
    // Disconnecting a client that has ended would keep us running for another 2 s.
    if (redis.status !== 'end') redis.disconnect();
  }
}

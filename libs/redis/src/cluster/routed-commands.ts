import type { ChainableCommander, Redis } from 'ioredis';
import type { Commands } from '../links/data-links.js';
import { absentBeside } from './hash-slot.js';

/** Runs work on the server that has a key. */
export type RunAtKey = <T>(key: string, work: (redis: Redis) => Promise<T>) => Promise<T>;

type Args = readonly unknown[];
type AnyCommand = (...args: Args) => Promise<unknown>;

/**
 * Commands that find their way to the server that has their key.
 * @param isReady returns true if commands can be sent now
 */
export function routedCommands(run: RunAtKey, isReady: () => boolean): Commands {
  const call = (name: string, args: Args): Promise<unknown> => {
    const isScript = name === 'evalsha' || name === 'eval';
    const key = String(isScript ? args[2] : args[0]);
    const sent = isScript ? withAbsentKey(key, args) : args;
    return run(key, (redis) => commandOf(redis, name)(...sent));
  };
  return new Proxy({} as Commands, {
    get(_target, name) {
      if (name === 'status') return isReady() ? 'ready' : 'reconnecting';
      if (name === 'pipeline') return (commands: Args[] = []) => pipelineOf(call, commands);
      if (isNoCommand(name)) return undefined;
      return (...args: Args) => call(name, args);
    },
  });
}

/** `await` and `console.log` ask an object for these properties; that must not send anything. */
function isNoCommand(name: string | symbol): name is symbol {
  return typeof name === 'symbol' || ['then', 'toJSON', 'constructor'].includes(name);
}

/** In the type every command has its own signature; here only its name is known. */
function commandOf(redis: Redis, name: string): AnyCommand {
  const command = redis[name as 'get'] as unknown as AnyCommand;
  return command.bind(redis);
}

/**
 * While a slot moves, Redis runs a script if it finds all keys on one side, and fails it half-way when it then
 * touches a key that it removed itself. A key that does not exist makes Redis refuse such scripts before they begin.
 */
function withAbsentKey(key: string, [script, count, ...rest]: Args): Args {
  const keys = Number(count);
  return [script, keys + 1, ...rest.slice(0, keys), absentBeside(key), ...rest.slice(keys)];
}

/** Collects commands and sends them together, each to its server; commands to one server stay in their order. */
function pipelineOf(
  call: (name: string, args: Args) => Promise<unknown>,
  first: readonly Args[],
): ChainableCommander {
  const queued = first.map(([name, ...args]): [string, Args] => [String(name), args]);
  const exec = (): Promise<[Error | null, unknown][]> =>
    Promise.all(
      queued.map(async ([name, args]): Promise<[Error | null, unknown]> => {
        try {
          return [null, await call(name, args)];
        } catch (error) {
          return [error as Error, undefined];
        }
      }),
    );
  const pipeline: ChainableCommander = new Proxy({} as ChainableCommander, {
    get(_target, name) {
      if (name === 'exec') return exec;
      if (name === 'length') return queued.length;
      if (isNoCommand(name)) return undefined;
      return (...args: Args) => {
        queued.push([name, args]);
        return pipeline;
      };
    },
  });
  return pipeline;
}

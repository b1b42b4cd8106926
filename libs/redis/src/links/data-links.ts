import type { Redis } from 'ioredis';

/** Data commands that stores may send: each has one key, as its first argument. */
type OneKey =
  | 'get'
  | 'set'
  | 'del'
  | 'exists'
  | 'incr'
  | 'expire'
  | 'pexpire'
  | 'persist'
  | 'pexpireat'
  | 'pttl'
  | 'hget'
  | 'hset'
  | 'hdel'
  | 'hmget'
  | 'hgetall'
  | 'hkeys'
  | 'hlen'
  | 'hincrby'
  | 'sadd'
  | 'srem'
  | 'smembers'
  | 'sismember'
  | 'smismember'
  | 'sscan'
  | 'scard'
  | 'srandmember'
  | 'zadd'
  | 'zscan'
  | 'zrem'
  | 'zcard'
  | 'zscore'
  | 'zrange'
  | 'zrangebyscore'
  | 'xadd'
  | 'xrange'
  | 'xrevrange'
  | 'xlen'
  | 'xdel'
  | 'spublish';

/**
 * Takes the commands of the stores: to the one server, or, in a cluster, each to the master that has its key. A
 * pipeline may have keys of several masters; it is not a transaction. Scripts are called by `LuaScript`.
 */
export type Commands = Pick<Redis, OneKey | 'status' | 'evalsha' | 'eval' | 'pipeline'>;

/** A server, and which keys of a list it has. */
export interface KeyGroup {
  /** Undefined while the owner of the keys is not known. */
  readonly redis: Redis | undefined;
  /** Positions in the list. */
  readonly indices: readonly number[];
}

/** Takes note of what scripts published. */
export interface PublicationNotes {
  /** Notes that a script has published on the channel of its room, or was refused. */
  note(channel: string, refused: boolean): void;
}

/** A node's links to its data, on one server or on many. */
export interface DataLinks {
  readonly commands: Commands;
  /** Link for big answers, which take long to arrive, so that nothing else waits behind them. */
  readonly reads: Commands;
  /** The command with which a script publishes. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  readonly publications: PublicationNotes;
  /** Groups keys by the server that has them, so that each server is asked once. */
  byServer(keys: readonly string[]): KeyGroup[];
}

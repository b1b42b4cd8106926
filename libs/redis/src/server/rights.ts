import type { Redis } from 'ioredis';

/**
 * Calls of the scripts that the user of a node must be allowed, `@` for a key. Calls that a script can do without are
 * left out.
 */
export const SCRIPT_CALLS = [
  'DEL @',
  'EXISTS @',
  'GET @',
  'HDEL @ f',
  'HEXISTS @ f',
  'HGET @ f',
  'HGETALL @',
  'HINCRBY @ f 1',
  'HKEYS @',
  'HMGET @ f',
  'HRANDFIELD @',
  'HSET @ f v',
  'HVALS @',
  'PERSIST @',
  'PEXPIRE @ 1',
  'PEXPIREAT @ 1',
  'PEXPIRETIME @',
  'PTTL @',
  'SET @ v',
  'SMEMBERS @',
  'TIME',
  'XACK @ g 1-1',
  'XADD @ * f v',
  'XCLAIM @ g c 0 1-1',
  'XDEL @ 1-1',
  'XGROUP CREATE @ g 0',
  'XGROUP DELCONSUMER @ g c',
  'XINFO CONSUMERS @ g',
  'XINFO GROUPS @',
  'XLEN @',
  'XPENDING @ g',
  'XRANGE @ - +',
  'XREAD STREAMS @ 0',
  'XREADGROUP GROUP g c STREAMS @ >',
  'XREVRANGE @ + -',
  'XTRIM @ MAXLEN 1',
  'ZADD @ 1 m',
  'ZCARD @',
  'ZRANGE @ 0 1',
  'ZRANGEBYLEX @ - +',
  'ZRANGEBYSCORE @ 0 1',
  'ZREM @ m',
  'ZREMRANGEBYSCORE @ 0 1',
  'ZSCORE @ m',
] as const;

/** Asks for the rights of its caller and touches no data, so it runs on every master and while writes are paused. */
const ASK = `#!lua flags=no-writes,allow-stale
local denied = {}
for i = 2, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = word == '@' and ARGV[1] or word end
  if not redis.acl_check_cmd(unpack(words)) then denied[#denied + 1] = ARGV[i] end
end
return denied`;

/**
 * Returns the calls of the scripts that Redis denies this link's user.
 * @param key a name in the form of the namespace's keys
 */
export async function deniedCalls(redis: Redis, key: string): Promise<string[]> {
  return (await redis.eval(ASK, 0, key, ...SCRIPT_CALLS)) as string[];
}

/** True if Redis answered that the user has no right to a command or key, in a script or outside of one. */
export function isDenied(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return /^-?NOPERM\b/.test(message) || /^-?ERR The user executing the script can't /.test(message);
}

import { expect, it } from '@jest/globals';
import { RedisError, toRedisError } from './redis-errors.js';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

it.each([
  ['OOM command not allowed when used memory > maxmemory.', 'refused'],
  ['READONLY You can not write against a read only replica.', 'refused'],
  ['-NOREPLICAS Not enough good replicas to write.', 'refused'],
  ['NOPERM this user has no permissions to run the evalsha command', 'refused'],
  ['NOREPLID this server hides its replication id', 'refused'],
  ['NEWFORMAT a newer release keeps this room in another form', 'refused'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'failed'],
  ['ERR Error running script 0a1b, not enough memory', 'failed'],
  ['SOMETHING that nobody knows', 'failed'],
  // Redis 7 and 8, Valkey 7 and 8; later Valkeys.
  ['OOM command not allowed. script: 0a1b, on @user_script:7.', 'failed'],
  ['READONLY You can not write. script: on @user_script:7.', 'failed'],
  ["ERR The user executing the script can't publish script: 0a1b, on @user_script:7.", 'failed'],
])('R35: the answer "%s" is %s', (message, failure) => {
  expect(toRedisError(reply(message))).toMatchObject({ failure, message });
});

it('R35: what got no answer is unknown, and what was classified stays so', () => {
  expect(toRedisError(new Error('Command timed out')).failure).toBe('unknown');
  const unsent = new RedisError('unsent', 'the link is down');
  expect(toRedisError(unsent)).toBe(unsent);
});

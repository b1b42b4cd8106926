import { describe, expect, it } from '@jest/globals';
import { describeTarget, parseRedisTarget } from './redis-target.js';

describe('an address of Redis', () => {
  it.each([
    ['redis://redis', 'redis://redis:6379'],
    ['rediss://u:p%40ss@redis.example:7000/3', 'rediss://redis.example:7000/3'],
    ['redis://:secret@[::1]:6380', 'redis://[::1]:6380'],
    ['redis+sentinel://s1,s2:5000/main', 'redis+sentinel://s1:26379,s2:5000/main'],
    ['redis://u:secret@h1,h2:7000,[::1]', 'redis+cluster://h1:6379,h2:7000,[::1]:6379'],
    ['rediss+cluster://h1:7000', 'rediss+cluster://h1:7000'],
    ['rediss+sentinel://u:secret@s1/main/2', 'rediss+sentinel://s1:26379/main/2'],
  ])('%s is %s', (url, described) => {
    expect(describeTarget(parseRedisTarget(url))).toBe(described);
  });

  it('keeps user and password as they are meant', () => {
    expect(parseRedisTarget('redis://u:p%40s:s@h')).toMatchObject({ username: 'u', password: 'p@s:s' });
    expect(parseRedisTarget('redis+sentinel://:a%2Fb@h/m')).toMatchObject({ password: 'a/b', master: 'm' });
  });

  it.each([
    ['redis', /not a URL; expected redis:\/\/host/],
    ['http://h', /scheme is "http"; expected redis:/],
    ['redis+nope://h', /scheme is "redis\+nope"/],
    ['redis://', /names no host/],
    ['redis://h:99999', /it contains an invalid host/],
    ['redis://u:secret@h:x', /it contains an invalid host/],
    ['redis://u:sec%ret@h', /not percent-encoded/],
    ['redis://h/zero', /a database number/],
    ['redis://u:secret@h1,h2/1', /a Redis Cluster has no database 1; expected redis:/],
    ['redis://u:secret@h1,', /names no host/],
    ['redis+sentinel://u:secret@h1,h2', /names no master; expected redis\+sentinel:/],
  ])('%s is refused, and the password stays secret', (url, problem) => {
    expect(() => parseRedisTarget(url)).toThrow(problem);
    expect(() => parseRedisTarget(url)).not.toThrow(/sec/);
  });
});

import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { Admission, type Admitted, BadWssOptions, type WssOptions } from '@wss/nest';
import { settingsOf } from '../src/options/wss-settings.js';

const LONG = 'a secret of more than 32 characters';

/** Its decision is a property of its instances, so the class itself does not show it. */
class WithProperty extends Admission {
  readonly admit = (): Admitted => ({ user: 'ann' });
}

class Mine extends Admission {
  admit(): Admitted {
    return { user: 'ann' };
  }
}

function problemsOf(options: unknown): string[] {
  try {
    settingsOf(options as WssOptions);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(BadWssOptions);
    return (error as Error).message.split('\n  ').slice(1);
  }
}

const STRANGE: Readonly<Record<string, unknown>> = {
  ...{ NaN, Infinity, '-Infinity': -Infinity, '-0': -0, zero: 0, '-1': -1, '1.5': 1.5, '1e21': 1e21 },
  ...{ '"5"': '5', '""': '', '" "': ' ', newline: '\n', null: null, true: true, false: false },
  ...{
    '[]': [],
    '[null]': [null],
    '[[]]': [[]],
    '{}': {},
    function: () => 1,
    date: new Date(),
    map: new Map(),
  },
  ...{
    regexp: /x/,
    'new Number': Object(5),
    'new String': Object('redis://x'),
    bigint: 5n,
    symbol: Symbol('x'),
  },
};

/** Options that are right but for one, which is named with its path. */
function withOption(path: string, value: unknown): object {
  const jwt = /^auth\.jwt\.(issuer|audience|userClaim)/.test(path) ? { secret: LONG } : {};
  const redis = /^redis\.(namespace|durable)/.test(path) ? { url: 'redis://x' } : {};
  const beside: Record<string, object> = { 'auth.jwt': jwt, redis };
  const parts = path.split('.');
  let built = value;
  for (let depth = parts.length - 1; depth >= 0; depth--) {
    built = { ...beside[parts.slice(0, depth).join('.')], [parts[depth]!]: built };
  }
  return { auth: 'none', ...(built as object) };
}

describe('options', () => {
  it('have the defaults that they tell', () => {
    expect(settingsOf({ auth: 'none' })).toEqual({
      path: '/',
      redisUrl: undefined,
      namespace: 'wss',
      durableReplicas: 0,
      auth: 'none',
      origins: 'local',
      sessionTtlMs: 86_400_000,
      sessionSecrets: undefined,
      presenceGraceMs: 5_000,
      drain: { delayMs: 0, windowMs: 2_000, timeoutMs: 20_000 },
      maxRooms: 1_000,
      connectionsPerUser: { most: 1_000, from: 10 },
      membersPerRoom: { most: 100_000, from: 1_000 },
      sessionsPerUser: 1_000,
      framesPerSecond: 1_000,
      bytesPerSecond: 1_048_576,
      single: false,
      maxTokenAgeMs: 2_592_000_000,
      connect: [],
      upgrades: {
        trustedProxies: undefined,
        connectionsPerAddress: 5_000,
        connectionsPerNode: 100_000,
        handshakesPerAddress: 200,
        handshakesPerSecond: 1_000,
        halfOpen: 4_096,
        handshakeMs: 10_000,
      },
      globalEnhancers: true,
      unsafe: [expect.stringContaining("'none'")],
    });
    expect(settingsOf({ auth: { use: Mine } }).origins).toEqual([]);
  });

  it('that are undefined count as absent, as a configuration gives them', () => {
    const settings = settingsOf({
      auth: { jwt: { secret: LONG, publicKey: undefined } },
      redis: undefined,
      path: undefined,
      drain: { delayMs: undefined },
    });
    expect(settings).toMatchObject({ path: '/', redisUrl: undefined, drain: { delayMs: 0 } });
  });

  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  it.each<WssOptions>([
    { auth: { jwt: { secret: LONG } } },
    { auth: { jwt: { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string } } },
    {
      auth: { jwt: { jwksUrl: 'http://localhost:8080/jwks', issuer: 'i', audience: 'a', userClaim: 'uid' } },
    },
    { auth: { use: WithProperty } },
    { auth: { use: Mine }, origins: ['https://app.example', 'null', 'capacitor://localhost', '*'] },
    { auth: 'none', redis: 'redis://a,b' },
    { auth: 'none', path: '/' },
    { auth: 'none', path: '/v1.2/..live/a_b-c' },
    { auth: 'none', redis: { url: 'redis+sentinel://a,b/main', namespace: 'prod', durableReplicas: 1 } },
    { auth: 'none', session: { secret: [LONG, LONG], ttlMs: 1_000 }, presence: { graceMs: 0 } },
    {
      auth: 'none',
      session: { secret: `${LONG}\n${LONG}` },
      limits: { maxRooms: 1 },
      globalEnhancers: false,
    },
  ])('may be %j', (options) => {
    expect(problemsOf(options)).toEqual([]);
  });

  it.each<[unknown, ...string[]]>([
    [undefined, 'the options must be an object with path'],
    [{}, 'auth is missing'],
    [{ auth: 'jwt' }, "auth must be 'none', { jwt: { … } } or { use"],
    [{ auth: { jwt: { secret: LONG }, use: Mine } }, "auth must be 'none'"],
    [{ auth: { jwt: undefined } }, 'auth.jwt must be an object with secret'],
    [{ auth: { jwt: { secret: LONG, jwksUrl: 'http://x' } } }, 'auth.jwt needs one of'],
    [{ auth: { jwt: { secret: 'short' } } }, 'auth.jwt.secret must be a text of at least 32 characters'],
    [{ auth: { jwt: { publicKey: 'no key' } } }, 'auth.jwt.publicKey must be a public key in PEM form'],
    [{ auth: { jwt: { jwksUrl: 'ftp://x' } } }, 'auth.jwt.jwksUrl must be an http(s) URL'],
    [
      { auth: { jwt: { secret: LONG, algorithm: 'none' } } },
      'auth.jwt.algorithm is not an option; allowed are',
    ],
    [{ auth: { use: class Nothing {} } }, 'auth.use must be a class that extends Admission'],
    [{ auth: { use: () => ({ user: 'ann' }) } }, 'auth.use must be a class that extends Admission'],
    [{ auth: { use: async () => new Mine() } }, 'auth.use must be a class that extends Admission'],
    [{ auth: { use: new Mine() } }, 'auth.use must be a class that extends Admission'],
    [{ auth: 'none', redis: '' }, 'redis is not an address of Redis'],
    [{ auth: 'none', redis: {} }, 'redis.url is missing'],
    [{ auth: 'none', redis: { url: 'http://x', db: 1 } }, 'redis.url is not', 'redis.db is not an option'],
    [
      { auth: 'none', redis: { url: 'redis://x', durableReplicas: 11 } },
      'redis.durableReplicas must be an integer',
    ],
    [
      { auth: 'none', redis: { url: 'redis://x', namespace: 'a:b' } },
      'redis.namespace must be 1 to 32 characters',
    ],
    [{ auth: 'none', origins: 'https://app.example' }, "origins must be 'local', or a list"],
    [{ auth: 'none', origins: ['https://app.example/'] }, "origins must be 'local', or a list"],
    [
      { auth: 'none', session: { ttlMs: 999, secret: [] } },
      'session.ttlMs must be',
      'session.secret must be',
    ],
    [{ auth: 'none', session: { secret: `${LONG}\nshort` } }, 'session.secret must be'],
    [{ auth: 'none', presence: { graceMs: '5' } }, 'presence.graceMs must be an integer from 0 to 50000'],
    [
      { auth: 'none', drain: { delayMs: -1, windowMs: NaN, timeoutMs: 0.5 } },
      'drain.delayMs',
      'drain.windowMs',
      'drain.timeoutMs',
    ],
    [{ auth: 'none', limits: { maxRooms: 0 } }, 'limits.maxRooms must be an integer from 1 to 100000'],
    ...['/live/', '//live', '/a//b', '/.', '/a/../b', '/a/.', '//', '/a?b', '/ä', '/live\n'].map(
      (path): [unknown, string] => [{ auth: 'none', path }, 'path must be a path'],
    ),
    [{ auth: 'none', single: 1, maxTokenAgeMs: 1 }, 'single must be', 'maxTokenAgeMs must be an integer'],
    [{ auth: 'none', path: 'live', globalEnhancers: 1 }, 'path must be a path', 'globalEnhancers must be'],
    [
      { auth: 'none', rooms: true, toString: 1 },
      'rooms is not an option; allowed are path, redis',
      'toString is not an option',
    ],
    [
      { auth: 'none', limits: { maxRoms: 1 } },
      'limits.maxRoms is not an option; allowed are maxRooms, framesPerSecond, bytesPerSecond, ',
    ],
    [
      { auth: 'none', trustedProxies: ['10.0.0.0/33'], connect: [{}] },
      'trustedProxies must be a list of networks',
      'connect must be a list of guards',
    ],
    [
      { auth: 'none', limits: { halfOpen: 3 } },
      'limits.halfOpen must be an integer from 4 to 1000000, or false',
    ],
    [{ auth: 'none', drain: null, session: [] }, 'drain must be an object', 'session must be an object'],
  ])('may not be %j', (options, ...expected) => {
    const problems = problemsOf(options);
    expect(problems).toHaveLength(expected.length);
    for (const start of expected) expect(problems.some((problem) => problem.startsWith(start))).toBe(true);
  });

  /** Each option with the strange values that it allows. */
  it.each<[option: string, allowed: readonly string[]]>([
    ['path', []],
    ['redis', []],
    ['redis.url', []],
    ['redis.namespace', ['"5"']],
    ['redis.durableReplicas', ['-0', 'zero']],
    ['auth', []],
    ['auth.jwt', []],
    ['auth.jwt.secret', []],
    ['auth.jwt.publicKey', []],
    ['auth.jwt.jwksUrl', []],
    ['auth.use', []],
    // Names that tokens must have are the issuer's matter.
    ['auth.jwt.issuer', ['"5"', '" "']],
    ['auth.jwt.audience', ['"5"', '" "']],
    ['auth.jwt.userClaim', ['"5"', '" "']],
    ['origins', ['[]']],
    ['connect', ['[]']],
    ['trustedProxies', ['[]']],
    ['session', ['{}']],
    ['session.ttlMs', []],
    ['session.secret', []],
    ['presence', ['{}']],
    ['presence.graceMs', ['-0', 'zero']],
    ['drain', ['{}']],
    ...['delayMs', 'windowMs', 'timeoutMs'].map((key): [string, string[]] => [
      `drain.${key}`,
      ['-0', 'zero'],
    ]),
    ['limits', ['{}']],
    ['limits.maxRooms', []],
    ['limits.handshakeMs', []],
    ...[
      'connectionsPerUser',
      'sessionsPerUser',
      'membersPerRoom',
      'framesPerSecond',
      'bytesPerSecond',
      'connectionsPerAddress',
      'connectionsPerNode',
      'handshakesPerAddress',
      'handshakesPerSecond',
      'halfOpen',
    ].map((key): [string, string[]] => [`limits.${key}`, ['false']]),
    ['single', ['true', 'false']],
    ['maxTokenAgeMs', []],
    ['globalEnhancers', ['true', 'false']],
  ])('take no strange value of %s', (option, allowed) => {
    const wrong = Object.entries(STRANGE).map(
      ([name, value]) => [name, problemsOf(withOption(option, value))] as const,
    );
    expect(wrong.filter(([, problems]) => problems.length === 0).map(([name]) => name)).toEqual(allowed);
    for (const [, problems] of wrong) for (const problem of problems) expect(problem).toContain(option);
  });

  it('never show a secret in an error', () => {
    const text = problemsOf({
      auth: { jwt: { secret: 'hush', publicKey: 'hush' } },
      redis: 'redis://user:hush@',
      session: { secret: 'hush' },
    }).join();
    expect(text).not.toContain('hush');
  });
});

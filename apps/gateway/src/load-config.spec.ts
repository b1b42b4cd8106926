import { expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkWssOptions } from '@wss/nest';
import { ConfigError, loadConfig } from './load-config.js';
import { wssOptionsOf } from './wss-options.js';

const LONG = 'a secret of more than 32 characters';
const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();
const numbers = (min: number, max: number): Values => [
  [String(min), String(max), ` ${min}`],
  ['abc', String(min - 1), String(max + 1), `${min}.5`, 'Infinity', '--', '9007199254740993'],
];

const orOff = ([good, bad]: Values): Values => [
  [...good, 'off'],
  [...bad, 'false', 'OFF'],
];

/** Values that a variable may have, and values that it may not. */
type Values = readonly [good: readonly string[], bad: readonly string[]];

const VARIABLES: Readonly<Record<string, Values>> = {
  SERVER_PORT: [['0', '3000', '65535'], numbers(0, 65_535)[1]],
  REDIS_SERVER: [
    ['redis://a', 'rediss://u:p@a:1/2', 'redis://a,b', 'redis+sentinel://a,b/m'],
    ['http://x', 'redis://', 'redis://a:99999', 'redis+sentinel://a', 'x'],
  ],
  WSS_NAMESPACE: [
    ['wss', 'a-b_C', 'x'.repeat(32)],
    ['a b', 'x'.repeat(33), 'ä', 'a:b'],
  ],
  WS_PATH: [
    ['/', '/live', '/v1.2/a_b'],
    ['live', '/live/', '//', '/../x', '/a b'],
  ],
  JWT_ISSUER: [['https://issuer.example', 'i'], []],
  JWT_AUDIENCE: [['a'], []],
  JWT_USER_CLAIM: [['sub', 'uid'], []],
  ALLOWED_ORIGINS: [
    ['*', 'local', 'https://a.example', ' https://a.example , null', 'capacitor://localhost', ','],
    [
      'a.example',
      'https://a.example/',
      'https://A.example',
      'local,https://a.example',
      'https://a.example,x',
    ],
  ],
  DEMO: [
    ['0', '1'],
    ['true', '2'],
  ],
  CONTRACT: [
    ['public', 'private'],
    ['yes', 'Public'],
  ],
  SESSION_SECRET: [
    [LONG, `${LONG}\n${LONG}\r\n`],
    ['short', `${LONG}\nshort`, '\n'],
  ],
  SESSION_TTL_MS: numbers(1_000, 86_400_000),
  MAX_ROOMS_PER_SESSION: numbers(1, 100_000),
  MAX_FRAMES_PER_SECOND: orOff(numbers(1, 1_000_000)),
  MAX_BYTES_PER_SECOND: orOff(numbers(16_384, 1_000_000_000)),
  MAX_CONNECTIONS_PER_ADDRESS: orOff(numbers(1, 1_000_000)),
  MAX_CONNECTIONS_PER_USER: orOff(numbers(1, 1_000_000)),
  MAX_SESSIONS_PER_USER: orOff(numbers(1, 1_000_000)),
  MAX_MEMBERS_PER_ROOM: orOff(numbers(1, 10_000_000)),
  TRUSTED_PROXIES: [
    ['none', '10.0.0.0/8', ' ::1 , 10.0.0.1', 'fc00::/7,::ffff:10.0.0.0/104'],
    ['x', '10.0.0.0/33', '10.0.0.0/8,x', '::/129', 'none,10.0.0.0/8'],
  ],
  MAX_CONNECTIONS: orOff(numbers(1, 10_000_000)),
  MAX_HANDSHAKES_PER_ADDRESS: orOff(numbers(1, 1_000_000)),
  MAX_HANDSHAKES_PER_SECOND: orOff(numbers(1, 1_000_000)),
  MAX_HALF_OPEN: orOff(numbers(4, 1_000_000)),
  HANDSHAKE_TIMEOUT_MS: numbers(1_000, 60_000),
  SINGLE_CONNECTION: [
    ['0', '1'],
    ['true', '2'],
  ],
  MAX_TOKEN_AGE_MS: numbers(60_000, 31_622_400_000),
  DRAIN_DELAY_MS: numbers(0, 600_000),
  DRAIN_WINDOW_MS: numbers(0, 600_000),
  DURABLE_REPLICAS: numbers(0, 10),
  PRESENCE_GRACE_MS: numbers(0, 50_000),
  SHUTDOWN_TIMEOUT_MS: numbers(100, 600_000),
  MANAGEMENT_PORT: [['0', '9090'], numbers(0, 65_535)[1]],
  MANAGEMENT_TOKEN: [[LONG], ['short']],
  LOG_FORMAT: [['json', 'text'], ['xml']],
  LOG_LEVEL: [
    ['error', 'warn', 'log', 'info', 'debug', 'verbose'],
    ['all', 'LOG', 'fatal'],
  ],
  NODE_ENV: [['production', 'test'], []],
  ENGINE_FILE: [['/tmp/engine.json'], []],
  SUMMARY: [['full', 'line'], ['yes']],
  SERVER_HOST: [['127.0.0.1', '::'], []],
  JWT_SECRET: [[LONG], ['short']],
  JWT_PUBLIC_KEY: [[PEM], ['no key']],
  JWT_JWKS_URL: [
    ['https://keys.example/jwks', 'http://localhost:1/jwks'],
    ['keys', 'ftp://keys.example'],
  ],
};
const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'];
const IN_FILES = new Set([
  'JWT_SECRET',
  'JWT_PUBLIC_KEY',
  'SESSION_SECRET',
  'MANAGEMENT_TOKEN',
  'REDIS_SERVER',
]);

const seed = Number(process.env.CONFIG_SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed || 1;
const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

interface Made {
  readonly env: Record<string, string>;
  /** Variables with a value that they may not have. */
  readonly bad: Set<string>;
}

function randomEnvironment(): Made {
  const env: Record<string, string> = {};
  const bad = new Set<string>();
  const badness = random() < 0.3 ? 0 : 0.15;
  for (const [name, [good, wrong]] of Object.entries(VARIABLES)) {
    if (random() < (KEYS.includes(name) ? 0.7 : 0.5)) continue;
    const isBad = wrong.length > 0 && random() < badness;
    if (isBad) bad.add(name);
    env[name] = pick(isBad ? wrong : good);
  }
  const auth = pick(['', 'none', 'jwt', 'jwt', 'maybe']);
  if (auth !== '' || random() < 0.5) env.AUTH = auth;
  return { env, bad };
}

/** Variables that contradict others, as sets of those that one line names. */
function contradictionsOf({ env, bad }: Made): string[] {
  const keys = KEYS.filter((name) => name in env);
  const auth = env.AUTH || (keys.length > 0 ? 'jwt' : '');
  const port = env.MANAGEMENT_PORT;
  return [
    ...(keys.length > 1 ? [keys[0]!] : []),
    ...(auth === '' || auth === 'maybe' || (auth === 'jwt' && keys.length === 0) ? ['AUTH'] : []),
    ...(auth === 'none' && keys.length > 0 ? ['AUTH'] : []),
    ...(auth === 'jwt' && port !== undefined && !('MANAGEMENT_TOKEN' in env) ? ['MANAGEMENT_PORT'] : []),
    ...(port !== undefined && !bad.has('MANAGEMENT_PORT') && port !== '0' && port === env.SERVER_PORT
      ? ['MANAGEMENT_PORT']
      : []),
    ...(env.ENGINE_FILE !== undefined && env.REDIS_SERVER !== undefined ? ['ENGINE_FILE'] : []),
    ...(env.ENGINE_FILE !== undefined && env.NODE_ENV === 'production' ? ['ENGINE_FILE'] : []),
  ];
}

function linesOf(env: NodeJS.ProcessEnv): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const [first, ...lines] = (error as Error).message.split('\n  ');
    expect(first).toBe('bad configuration:');
    return lines;
  }
}

const nameOf = (line: string): string => /^[A-Z_]+/.exec(line)?.[0] ?? line;

it('refuses exactly the environments with a bad variable, and complains once of each', () => {
  let accepted = 0;
  for (let round = 0; round < 2_000; round++) {
    const made = randomEnvironment();
    const lines = linesOf(made.env);
    const expected = [...made.bad, ...contradictionsOf(made)].sort();
    expect({ seed, env: made.env, named: lines.map(nameOf).sort() }).toEqual({
      seed,
      env: made.env,
      named: expected,
    });
    // A remedy, in words, and never the value.
    for (const line of lines) {
      expect(line).toMatch(
        / (must be|must have|is not an address of Redis: .*|is missing|needs|set|choose|remove|unset) ?/,
      );
      expect(line).not.toContain(LONG);
    }
    if (lines.length > 0) continue;
    accepted++;
    expect(checkWssOptions(wssOptionsOf(loadConfig(made.env)))).toEqual([]);
  }
  expect(accepted).toBeGreaterThan(50);
});

it('has every variable in the test', () => {
  const names = Object.keys(loadConfig({ AUTH: 'none' }));
  expect(names.filter((name) => !(name in VARIABLES) && name !== 'AUTH')).toEqual([]);
});

it('names the file that a bad value came from', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wss-config-'));
  for (const name of IN_FILES) {
    const file = join(folder, name);
    writeFileSync(file, `${pick(VARIABLES[name]![1]).trim() || 'short'}\n`);
    const auth = name.startsWith('JWT') ? {} : { AUTH: 'none' };
    const [line, ...others] = linesOf({ ...auth, [`${name}_FILE`]: file });
    expect(others).toEqual([]);
    expect(line).toMatch(new RegExp(`^${name}, read from ${name}_FILE, (must|is not an)`));
  }
  rmSync(folder, { recursive: true });
});

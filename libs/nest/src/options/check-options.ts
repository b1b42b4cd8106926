import { createPublicKey } from 'node:crypto';
import type { CanActivate } from '@nestjs/common';
import { type Admission, parseNetwork } from '@wss/messaging';
import { parseRedisTarget } from '@wss/redis';
import {
  integer,
  isObject,
  must,
  orFalse,
  type OptionCheck,
  options,
  text,
  type WssOptionProblem,
} from './option-checks.js';

const KEYS = ['secret', 'publicKey', 'jwksUrl'];
const SECRET = 'a text of at least 32 characters';
const PATH =
  'a path as clients ask for it, e.g. /live: it begins with /, does not end with it, and its parts are of A-Z a-z 0-9 _ . - and neither empty nor . or ..';
const AUTH = "'none', { jwt: { … } } or { use: <a class that extends Admission> }";

const redisUrl: OptionCheck = (value, option) => {
  const problem = typeof value === 'string' ? problemOf(value) : 'it is not a text';
  return problem === undefined ? [] : [{ option, problem: `is not an address of Redis: ${problem}` }];
};

const redisParts = options({
  url: redisUrl,
  namespace: text('1 to 32 characters of A-Z a-z 0-9 _ -', /^[A-Za-z0-9_-]{1,32}$/),
  durableReplicas: integer(0, 10),
});

const redis: OptionCheck = (value, name) => {
  if (!isObject(value)) return redisUrl(value, name);
  const missing = value.url === undefined ? [{ option: `${name}.url`, problem: 'is missing' }] : [];
  return [...missing, ...redisParts(value, name)];
};

const jwtParts = options({
  secret: must(SECRET, isSecret),
  publicKey: must('a public key in PEM form', (value) => typeof value === 'string' && isPublicKey(value)),
  jwksUrl: must('an http(s) URL', (value) => typeof value === 'string' && isHttpUrl(value)),
  issuer: text('a text', /./),
  audience: text('a text', /./),
  userClaim: text('the name of a claim', /./),
});

const jwt: OptionCheck = (value, name) => {
  const given = isObject(value) ? KEYS.filter((key) => value[key] !== undefined) : KEYS.slice(0, 1);
  const problem = `needs one of ${KEYS.join(', ')}, and only one`;
  return [...(given.length === 1 ? [] : [{ option: name, problem }]), ...jwtParts(value, name)];
};

const use = must('a class that extends Admission', isAdmission);

const auth: OptionCheck = (value, option) => {
  if (value === 'none') return [];
  const [way, ...others] = isObject(value) ? Object.keys(value) : [];
  if (others.length > 0 || (way !== 'jwt' && way !== 'use')) return [{ option, problem: `must be ${AUTH}` }];
  const part = (value as Record<string, unknown>)[way];
  if (way === 'jwt') return jwt(part, `${option}.jwt`);
  return use(part, `${option}.use`);
};

const origins = must(
  "'local', or a list of origins as browsers send them, e.g. https://app.example",
  (value) => value === 'local' || (Array.isArray(value) && value.every(isOrigin)),
);

const secrets = must(`${SECRET}, or a list of them`, (value) => {
  const list = typeof value === 'string' ? linesOf(value) : value;
  return Array.isArray(list) && list.length > 0 && list.every(isSecret);
});

const flag = must('true or false', (value) => typeof value === 'boolean');

const all = options({
  path: text(PATH, /^\/$|^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)+$/),
  redis,
  auth,
  origins,
  connect: must(
    'a list of guards, each a class with canActivate() or an instance of one',
    (value) => Array.isArray(value) && value.every(isGuard),
  ),
  trustedProxies: must(
    'a list of networks, each an address or a CIDR such as 10.0.0.0/8',
    (value) => Array.isArray(value) && value.every((network) => isNetwork(network)),
  ),
  session: options({ ttlMs: integer(1_000, 86_400_000), secret: secrets }),
  presence: options({ graceMs: integer(0, 50_000) }),
  drain: options({
    delayMs: integer(0, 600_000),
    windowMs: integer(0, 600_000),
    timeoutMs: integer(0, 600_000),
  }),
  limits: options({
    maxRooms: integer(1, 100_000),
    framesPerSecond: orFalse(integer(1, 1_000_000)),
    bytesPerSecond: orFalse(integer(16_384, 1_000_000_000)),
    connectionsPerUser: orFalse(integer(1, 1_000_000)),
    sessionsPerUser: orFalse(integer(1, 1_000_000)),
    membersPerRoom: orFalse(integer(1, 10_000_000)),
    connectionsPerAddress: orFalse(integer(1, 1_000_000)),
    connectionsPerNode: orFalse(integer(1, 10_000_000)),
    handshakesPerAddress: orFalse(integer(1, 1_000_000)),
    handshakesPerSecond: orFalse(integer(1, 1_000_000)),
    halfOpen: orFalse(integer(4, 1_000_000)),
    handshakeMs: integer(1_000, 60_000),
  }),
  single: flag,
  maxTokenAgeMs: integer(60_000, 31_622_400_000),
  globalEnhancers: flag,
});

/**
 * Finds everything that is wrong with options, as `WssModule` does at boot: for an application that wants to name its
 * own settings.
 */
export function checkWssOptions(given: unknown): readonly WssOptionProblem[] {
  const isMissing = isObject(given) && given.auth === undefined;
  const missing = { option: 'auth', problem: `is missing: it must be ${AUTH}` };
  return [...(isMissing ? [missing] : []), ...all(given, '')];
}

/** The secrets of a text with one per line. */
export function linesOf(lines: string): string[] {
  return lines.split(/\r?\n/).filter((line) => line !== '');
}

/** True if a browser may send this as `Origin`; schemes of apps have origins that `URL` does not know. */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (value === '*' || value === 'null') return true;
  if (!URL.canParse(value)) return false;
  const { origin } = new URL(value);
  return origin === 'null' ? /^[a-z][a-z\d+.-]*:\/\/[^/?#@\s]+$/.test(value) : origin === value;
}

function isSecret(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 32;
}

function isAdmission(value: unknown): boolean {
  if (typeof value !== 'function') return false;
  // A class may have `admit` as a property of its instances; `refresh` it has by inheritance.
  const refresh = (value.prototype as Partial<Admission> | undefined)?.refresh;
  return typeof refresh === 'function';
}

function isGuard(value: unknown): boolean {
  if (typeof value === 'function') return (value.prototype as object | undefined) !== undefined;
  return typeof (value as Partial<CanActivate> | null)?.canActivate === 'function';
}

function isNetwork(value: unknown): boolean {
  return typeof value === 'string' && parseNetwork(value) !== undefined;
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function isPublicKey(pem: string): boolean {
  try {
    createPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}

function problemOf(url: string): string | undefined {
  try {
    parseRedisTarget(url);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

import { readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync } from 'class-validator';
import { Config } from './config.js';
import { optionProblems } from './wss-options.js';

/** The environment is invalid; the message names every bad variable. */
export class ConfigError extends Error {}

/** Variables that may name a file with their value, as container secrets do. */
const FROM_FILE = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'SESSION_SECRET', 'MANAGEMENT_TOKEN', 'REDIS_SERVER'];
const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'];

/**
 * True if a value is set, even one that can't be read: that error is already reported, so the variable is not
 * missing.
 */
type IsGiven = (name: string) => boolean;

/** @throws ConfigError naming every bad variable at once. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  for (const name of FROM_FILE) readFile(set, name, problems);
  const isGiven: IsGiven = (name) =>
    set[name] !== undefined || (FROM_FILE.includes(name) && set[`${name}_FILE`] !== undefined);
  if (set.AUTH === undefined && KEYS.some(isGiven)) set.AUTH = 'jwt';
  const config = plainToInstance(Config, pick(set), { exposeDefaultValues: true });
  const sourceOf = (name: string): string =>
    set[`${name}_FILE`] === undefined ? name : `${name}, read from ${name}_FILE,`;
  problems.push(...problemsOf(config, sourceOf), ...contradictions(config, isGiven));
  if (problems.length > 0) throw new ConfigError(`bad configuration:\n  ${problems.join('\n  ')}`);
  return Object.freeze(config);
}

/** Everything that is wrong with the values, one line for each variable. */
function problemsOf(config: Config, sourceOf: (name: string) => string): string[] {
  const own = validateSync(config, { stopAtFirstError: true }).flatMap(({ property, constraints }) =>
    // Each message begins with the name.
    Object.values(constraints ?? {}).map((text) => sourceOf(property) + text.slice(property.length)),
  );
  return [...own, ...optionProblems(config).map(({ name, problem }) => `${sourceOf(name)} ${problem}`)];
}

function readFile(env: NodeJS.ProcessEnv, name: string, problems: string[]): void {
  const file = env[`${name}_FILE`];
  if (file === undefined) return;
  if (env[name] !== undefined) problems.push(`${name} and ${name}_FILE are both set; set only one`);
  try {
    env[name] = readFileSync(file, 'utf8').trim();
  } catch (error) {
    problems.push(`${name}_FILE can't be read: ${(error as NodeJS.ErrnoException).code}, ${file}`);
  }
}

function pick(env: NodeJS.ProcessEnv): Partial<Record<keyof Config, string>> {
  const names = getMetadataStorage()
    .getTargetValidationMetadatas(Config, '', false, false)
    .map(({ propertyName }) => propertyName);
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function contradictions(config: Config, isGiven: IsGiven): string[] {
  const keys = KEYS.filter(isGiven);
  const found: string[] = [];
  if (keys.length > 1) found.push(`${keys.join(' and ')} are set; set only one of them`);
  if (config.AUTH === 'jwt' && keys.length === 0) found.push(`AUTH=jwt needs one of ${KEYS.join(', ')}`);
  if (config.AUTH === 'none' && keys.length > 0)
    found.push(`AUTH=none and ${keys.join(', ')} contradict each other; remove one of them`);
  if (config.AUTH === 'jwt' && config.MANAGEMENT_PORT !== undefined && !isGiven('MANAGEMENT_TOKEN'))
    found.push('MANAGEMENT_PORT needs a MANAGEMENT_TOKEN');
  if (config.ENGINE_FILE !== undefined && isGiven('REDIS_SERVER'))
    found.push('ENGINE_FILE and REDIS_SERVER are both set; Redis keeps the data, so unset ENGINE_FILE');
  if (config.ENGINE_FILE !== undefined && config.NODE_ENV === 'production')
    found.push('ENGINE_FILE is for development and promises nothing; in production set REDIS_SERVER instead');
  const { SERVER_PORT, MANAGEMENT_PORT = 0 } = config;
  // A number that is no port has its own complaint.
  const isPort = Number.isInteger(MANAGEMENT_PORT) && MANAGEMENT_PORT > 0 && MANAGEMENT_PORT <= 65_535;
  if (isPort && MANAGEMENT_PORT === SERVER_PORT)
    found.push('MANAGEMENT_PORT and SERVER_PORT are the same; choose two different ports');
  return found;
}

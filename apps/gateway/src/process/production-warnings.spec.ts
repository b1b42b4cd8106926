import { expect, it } from '@jest/globals';
import { loadConfig } from '../load-config.js';
import { productionWarnings } from './production-warnings.js';

const jwt = { JWT_SECRET: 'a secret of more than 32 characters', ALLOWED_ORIGINS: 'https://app.example' };

it.each([
  [{ AUTH: 'none' }, [/^AUTH=none: .*; do not let strangers/]],
  [jwt, []],
  [{ ...jwt, ALLOWED_ORIGINS: '' }, [/^ALLOWED_ORIGINS is not set: .*; list/]],
  [{ ...jwt, ALLOWED_ORIGINS: '*' }, [/^ALLOWED_ORIGINS=\*: .*; list/]],
  [
    { ...jwt, MAX_MEMBERS_PER_ROOM: 'off', MAX_CONNECTIONS: 'off', MAX_HALF_OPEN: 'off' },
    [
      /^MAX_MEMBERS_PER_ROOM=off: .*; set a number/,
      /^MAX_CONNECTIONS=off: .*; set a number/,
      /^MAX_HALF_OPEN=off: .*; set a number/,
    ],
  ],
])('warns of %j in production, a line each, and never elsewhere', (env, expected) => {
  const warnings = productionWarnings(loadConfig({ ...env, NODE_ENV: 'production' }));
  expect(warnings).toEqual(expected.map((line) => expect.stringMatching(line) as unknown));
  expect(productionWarnings(loadConfig(env))).toEqual([]);
});

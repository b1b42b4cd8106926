import { afterEach, expect, it } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../load-config.js';
import { createNode } from './node-app.js';

const { NODE_ENV } = process.env;
let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = NODE_ENV;
  Logger.overrideLogger(false);
});

const jwt = { JWT_SECRET: 'a secret of more than 32 characters', ALLOWED_ORIGINS: 'https://app.example' };

it.each([
  [{ AUTH: 'none' }, [/AUTH=none/]],
  [jwt, []],
  [{ ...jwt, ALLOWED_ORIGINS: '' }, [/ALLOWED_ORIGINS\)/]],
  [{ ...jwt, ALLOWED_ORIGINS: '*' }, [/ALLOWED_ORIGINS=\*/]],
  [
    { ...jwt, MAX_MEMBERS_PER_ROOM: 'off', MAX_HALF_OPEN: 'off' },
    [/MAX_MEMBERS_PER_ROOM=off/, /MAX_HALF_OPEN=off/],
  ],
])(
  'a start in production with %j warns of what is not safe, by the names of variables',
  async (env, expected) => {
    process.env.NODE_ENV = 'production';
    const warnings: string[] = [];
    const none = (): void => undefined;
    const logger = { log: none, error: none, warn: (line: string) => void warnings.push(line) };
    const config = loadConfig({ ...env, NODE_ENV: 'production' });
    app = await createNode(AppModule.with(config, 'first'), { logger });
    expect(warnings).toEqual(expected.map((line) => expect.stringMatching(line) as unknown));
  },
);

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { Admission, useWss, WssModule, type WssOptions } from '@wss/nest';
import { newSeed, Random } from '@wss/testing';
import { createApp, PLATFORMS } from './test-app.js';

const { NODE_ENV } = process.env;
const seed = newSeed();
const random = new Random(seed);
let warnings: string[] = [];
let app: INestApplication | undefined;

beforeEach(() => void (warnings = []));
afterEach(async () => {
  await app?.close();
  if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = NODE_ENV;
  Logger.overrideLogger(false);
});

class Mine extends Admission {
  admit(): { user: string } {
    return { user: 'ann' };
  }
}

/** A choice of each option, and what its line must say; nothing for one that is safe. */
type Choice = readonly [options: Partial<WssOptions>, says?: RegExp];

const AUTH: readonly Choice[] = [
  [{ auth: 'none' }, /^the option auth is 'none' .*AUTH=none.*; do not let strangers reach this node$/],
  [{ auth: { jwt: { secret: 'a secret of more than 32 characters' } } }],
  [{ auth: { use: Mine } }],
];
const ORIGINS: readonly Choice[] = [
  [{ origins: ['https://app.example'] }],
  [{ origins: [] }],
  [
    { origins: ['https://app.example', '*'] },
    /^the option origins has '\*' .*ALLOWED_ORIGINS=\*.*; list your own$/,
  ],
  [{}, /^the option origins is not set .*ALLOWED_ORIGINS.*; list the origins of your pages$/],
];
const OFF = {
  framesPerSecond: 'MAX_FRAMES_PER_SECOND',
  bytesPerSecond: 'MAX_BYTES_PER_SECOND',
  connectionsPerUser: 'MAX_CONNECTIONS_PER_USER',
  sessionsPerUser: 'MAX_SESSIONS_PER_USER',
  membersPerRoom: 'MAX_MEMBERS_PER_ROOM',
  connectionsPerAddress: 'MAX_CONNECTIONS_PER_ADDRESS',
  connectionsPerNode: 'MAX_CONNECTIONS',
  handshakesPerAddress: 'MAX_HANDSHAKES_PER_ADDRESS',
  handshakesPerSecond: 'MAX_HANDSHAKES_PER_SECOND',
  halfOpen: 'MAX_HALF_OPEN',
} as const;

function randomOptions(): { options: WssOptions; says: RegExp[] } {
  const chosen = [random.pick(AUTH), random.pick(ORIGINS)];
  const { auth, origins } = Object.assign({}, ...chosen.map(([part]) => part)) as WssOptions;
  const says = chosen.flatMap(([, line]) => line ?? []);
  // With 'none' the default is this machine.
  if (auth === 'none' && origins === undefined) says.pop();
  const limits: Record<string, number | false> = {};
  for (const [name, variable] of Object.entries(OFF)) {
    const kind = random.below(3);
    if (kind === 1) limits[name] = 20_000;
    if (kind !== 2) continue;
    limits[name] = false;
    says.push(
      new RegExp(
        `^the option limits\\.${name} is false \\(of the gateway ${variable}=off\\): .*; set a number$`,
      ),
    );
  }
  return { options: { auth, limits, ...(origins && { origins }) }, says };
}

/** Gives an application its WebSocket, and returns the warnings. */
async function start(options: WssOptions): Promise<string[]> {
  app = await createApp(random.pick(PLATFORMS), [
    random.below(2) ? WssModule.forRoot(options) : WssModule.forRootAsync({ useFactory: () => options }),
  ]);
  const none = (): void => undefined;
  Logger.overrideLogger({
    log: none,
    error: none,
    warn: (line: unknown) => void warnings.push(String(line)),
  });
  useWss(app);
  useWss(app);
  await app.init();
  return warnings;
}

it(`warns of each option that is not safe, once, in production alone (seed ${seed})`, async () => {
  for (let i = 0; i < 25; i++) {
    const { options, says } = randomOptions();
    const isProduction = random.below(4) > 0;
    if (isProduction) process.env.NODE_ENV = 'production';
    else process.env.NODE_ENV = random.pick(['development', 'test', '']);
    warnings = [];
    const told = await start(options);
    const expected = isProduction ? says : [];
    expect({ seed, i, options, told }).toMatchObject({
      told: expected.map((line) => expect.stringMatching(line)),
    });
    await app!.close();
  }
});

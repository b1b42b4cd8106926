import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Which library may import which; `testing` may import all of them. */
const DIRECTIONS: Record<string, readonly string[]> = {
  protocol: [],
  client: ['protocol'],
  redis: ['protocol'],
  handlers: ['protocol'],
  state: ['redis', 'handlers', 'protocol'],
  cluster: ['redis', 'state', 'handlers', 'protocol'],
  messaging: ['handlers', 'protocol'],
  contract: ['state', 'handlers', 'protocol'],
};
const LIBRARIES = [...Object.keys(DIRECTIONS), 'testing'];

interface Case {
  readonly file: string;
  readonly imports: string;
  readonly allowed: boolean;
}

const betweenLibraries: Case[] = Object.entries(DIRECTIONS).flatMap(([library, mayImport]) =>
  LIBRARIES.filter((other) => other !== library).map((other) => ({
    file: `libs/${library}/src/to-${other}.ts`,
    imports: `@wss/${other}`,
    allowed: mayImport.includes(other),
  })),
);

const others: Case[] = [
  { file: 'libs/protocol/src/uses-nest.ts', imports: '@nestjs/common', allowed: false },
  { file: 'libs/protocol/src/uses-node.ts', imports: 'node:fs', allowed: false },
  { file: 'libs/client/src/uses-ws.ts', imports: 'ws', allowed: false },
  { file: 'libs/messaging/src/uses-redis.ts', imports: 'ioredis', allowed: false },
  { file: 'libs/messaging/src/uses-nest.ts', imports: '@nestjs/websockets', allowed: true },
  { file: 'libs/redis/src/uses-redis.ts', imports: 'ioredis', allowed: true },
  { file: 'libs/cluster/src/deep.ts', imports: '@wss/state/src/committer.js', allowed: false },
  { file: 'libs/cluster/src/files.ts', imports: '../../state/src/index.js', allowed: false },
  { file: 'libs/state/src/app.ts', imports: '../../../apps/gateway/src/config.js', allowed: false },
  { file: 'libs/testing/src/app.ts', imports: '../../../apps/gateway/src/config.js', allowed: false },
  { file: 'libs/testing/src/feature-node.ts', imports: '../../../apps/gateway/src/config.js', allowed: true },
  { file: 'apps/gateway/src/engine-user.ts', imports: '@wss/redis', allowed: true },
  { file: 'apps/gateway/src/features/poll/redis.ts', imports: '@wss/redis', allowed: false },
  { file: 'apps/gateway/src/features/poll/ioredis.ts', imports: 'ioredis', allowed: false },
  { file: 'apps/gateway/src/features/poll/chat.ts', imports: '../chat/chat.handlers.js', allowed: false },
  { file: 'apps/gateway/src/features/poll/state.ts', imports: '@wss/state', allowed: true },
];

describe('lint', () => {
  let folder: string;
  let reported: Set<string>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wss-lint-'));
    copyFileSync('.oxlintrc.json', join(folder, '.oxlintrc.json'));
    for (const { file, imports } of [...betweenLibraries, ...others]) write(file, imports);
    reported = lint();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(betweenLibraries)('$file → $imports: allowed $allowed', ({ file, allowed }) => {
    expect(reported.has(file)).toBe(!allowed);
  });

  it.each(others)('$file → $imports: allowed $allowed', ({ file, allowed }) => {
    expect(reported.has(file)).toBe(!allowed);
  });

  it('covers every library', () => {
    expect(readdirSync('libs').sort()).toEqual([...LIBRARIES].sort());
  });

  function write(file: string, imports: string): void {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), `export * from '${imports}';\n`);
  }

  /** The files in which an import is forbidden. */
  function lint(): Set<string> {
    const oxlint = resolve('node_modules/.bin/oxlint');
    const { stdout } = spawnSync(oxlint, ['--format', 'json'], { cwd: folder, encoding: 'utf8' });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
    return new Set(
      diagnostics
        .filter(({ code }) => code.includes('no-restricted-imports'))
        .map(({ filename }) => filename),
    );
  }
});

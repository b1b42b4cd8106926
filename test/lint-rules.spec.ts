import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isProduct, sourceFiles } from './source-files.js';

/** The libraries that each library may import, stated once more by hand; `testing` may import all of them. */
const DIRECTIONS: Record<string, readonly string[]> = {
  protocol: [],
  client: ['protocol'],
  redis: ['protocol'],
  core: ['protocol'],
  state: ['redis', 'core', 'protocol'],
  cluster: ['redis', 'state', 'core', 'protocol'],
  messaging: ['core', 'protocol'],
  contract: ['state', 'core', 'protocol'],
  nest: ['redis', 'state', 'cluster', 'messaging', 'contract', 'core', 'protocol'],
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
  { file: 'libs/core/src/shared.ts', imports: '@nestjs/websockets/constants.js', allowed: true },
  { file: 'libs/core/src/without-end.ts', imports: '@nestjs/websockets/constants', allowed: false },
  { file: 'libs/core/src/of-12.ts', imports: '@nestjs/core/internal', allowed: false },
  {
    file: 'libs/cluster/src/enum.ts',
    imports: '@nestjs/microservices/enums/transport.enum.js',
    allowed: false,
  },
  { file: 'apps/gateway/src/of-12.ts', imports: '@nestjs/common/interfaces/index.js', allowed: false },
  { file: 'libs/redis/src/uses-redis.ts', imports: 'ioredis', allowed: true },
  { file: 'libs/cluster/src/deep.ts', imports: '@wss/state/src/committer.js', allowed: false },
  { file: 'libs/cluster/src/files.ts', imports: '../../state/src/index.js', allowed: false },
  { file: 'libs/state/src/app.ts', imports: '../../../apps/gateway/src/config.js', allowed: false },
  { file: 'libs/testing/src/app.ts', imports: '../../../apps/gateway/src/config.js', allowed: false },
  { file: 'apps/gateway/src/redis-user.ts', imports: '@wss/redis', allowed: true },
  { file: 'apps/gateway/src/metrics-user.ts', imports: '@wss/nest/metrics', allowed: true },
  { file: 'apps/gateway/src/engine-user.ts', imports: '@wss/nest/engine', allowed: false },
  { file: 'libs/cluster/src/contract-user.ts', imports: '@wss/nest/contract', allowed: false },
  { file: 'apps/gateway/src/features/poll/redis.ts', imports: '@wss/redis', allowed: false },
  { file: 'apps/gateway/src/features/poll/ioredis.ts', imports: 'ioredis', allowed: false },
  { file: 'apps/gateway/src/features/poll/chat.ts', imports: '../chat/chat.handlers.js', allowed: false },
  { file: 'apps/gateway/src/features/poll/state.ts', imports: '@wss/state', allowed: false },
  { file: 'apps/gateway/src/features/poll/metrics.ts', imports: '@wss/nest/metrics', allowed: false },
  { file: 'apps/gateway/src/features/poll/poll.ts', imports: '@wss/nest', allowed: true },
  { file: 'apps/gateway/src/features/poll/poll.spec.ts', imports: '@wss/nest/testing', allowed: true },
  { file: 'apps/gateway/src/features/poll/kit.ts', imports: '@wss/nest/testing', allowed: false },
];

/** Arrows between folders of one library. */
const betweenFloors: Case[] = [
  { file: 'libs/testing/src/published/up.ts', imports: '../gateways/gateway-node.js', allowed: false },
  { file: 'libs/testing/src/features/up.ts', imports: '../deployments/redis-faults.js', allowed: false },
  { file: 'libs/testing/src/gateways/down.ts', imports: '../features/feature-cluster.js', allowed: true },
  { file: 'libs/messaging/src/socket/up.ts', imports: '../commands/answers.js', allowed: false },
  { file: 'libs/messaging/src/commands/up.ts', imports: '../rooms/memberships.js', allowed: false },
  { file: 'libs/messaging/src/commands/down.ts', imports: '../socket/text-frame.js', allowed: true },
  { file: 'libs/messaging/src/commands/roof.ts', imports: '../index.js', allowed: false },
  { file: 'libs/messaging/src/commands/unknown.ts', imports: '../attic/dust.js', allowed: false },
  { file: 'libs/messaging/src/roof.ts', imports: './adapter/frame-reader.js', allowed: true },
  { file: 'libs/messaging/src/socket/up.spec.ts', imports: '../commands/answers.js', allowed: true },
  { file: 'libs/messaging/test/up.ts', imports: '../src/adapter/frame-reader.js', allowed: true },
  { file: 'libs/nest/src/engine/up.ts', imports: '../assembly/core.module.js', allowed: false },
  { file: 'libs/nest/src/engine/down.ts', imports: '../options/wss-settings.js', allowed: true },
  { file: 'libs/nest/src/metrics/beside.ts', imports: '../admission/origins.js', allowed: false },
  { file: 'apps/gateway/src/page/up.ts', imports: '../app.module.js', allowed: false },
  { file: 'apps/gateway/src/page/down.ts', imports: '../config.js', allowed: true },
];

/** The ways to import something. */
const importOf: readonly ((name: string) => string)[] = [
  (name) => `export * from '${name}';\n`,
  (name) => `export { one } from '${name}';\n`,
  (name) => `import type { One } from '${name}';\nexport type Two = One;\n`,
  (name) => `import { one } from '${name}';\nexport const two = one;\n`,
  (name) => `export const two = () => import('${name}');\n`,
  (name) => `export type Two = import('${name}').One;\n`,
];

/** Files that read the wall clock. */
const clocks: [file: string, allowed: boolean][] = [
  ['libs/cluster/src/wall-clock.ts', false],
  ['libs/redis/src/wall-clock.ts', false],
  ['libs/state/src/store/room-store.redis.ts', false],
  ['apps/gateway/src/wall-clock.ts', false],
  ['apps/gateway/src/features/poll/wall-clock.ts', false],
  ['libs/messaging/src/socket/client-socket.ts', true],
  ['libs/cluster/test/wall-clock.ts', true],
];

/** Providers, each in a file of its own. */
const providers: [file: string, provider: string, allowed: boolean][] = [
  ['libs/cluster/src/existing.ts', '{ provide: Port, useExisting: Other }', false],
  ['libs/messaging/src/class.ts', '{ provide: Port, useClass: Other }', false],
  ['libs/state/src/value.ts', "{ 'provide': Port, 'useValue': other }", false],
  ['libs/nest/src/assembly/factory.ts', '{ provide: Port, inject: [], useFactory: () => other }', false],
  ['apps/gateway/src/features/poll/method.ts', '{ provide: Port, useFactory() {} }', false],
  ['libs/messaging/test/class.spec.ts', '{ provide: Port, useClass: Other }', false],
  ['libs/cluster/src/member.ts', '{ provide: ports.Port, useClass: Other }', false],
  ['libs/cluster/src/cast.ts', '{ provide: Port as Type, useClass: Other }', false],
  ['libs/cluster/src/nested.ts', '[...[true ? { provide: Port, useClass: Other } : Other]]', false],
  ['libs/core/src/bind.ts', '{ provide: Port, useClass: Other }', true],
  ['libs/cluster/src/bound.ts', 'bindClass(Port, Other)', true],
  ['libs/cluster/src/guard.ts', '{ provide: APP_GUARD, useClass: Other }', true],
  ['libs/cluster/src/token.ts', '{ provide: tokenOf(Port), useFactory: () => other }', true],
  ['libs/cluster/src/text.ts', "{ provide: 'name', useValue: other }", true],
  ['libs/cluster/src/other.ts', '{ provide: Port, name: other, ...other }', true],
];

describe('lint', () => {
  let folder: string;
  let reported: Set<string>;
  let reportedClocks: Set<string>;
  let reportedCircles: Set<string>;
  let reportedProviders: Set<string>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wss-lint-'));
    copyFileSync('.oxlintrc.json', join(folder, '.oxlintrc.json'));
    cpSync('tools/lint', join(folder, 'tools/lint'), { recursive: true });
    for (const { file, imports } of [...betweenLibraries, ...others, ...betweenFloors])
      write(file, importOf[file.length % importOf.length]!(imports));
    write(
      'libs/redis/src/links/chicken.ts',
      "import type { Egg } from './egg.js';\nexport interface Chicken { egg: Egg }\n",
    );
    write(
      'libs/redis/src/links/egg.ts',
      "import type { Chicken } from './chicken.js';\nexport interface Egg { of: Chicken }\n",
    );
    write(
      'libs/redis/src/links/nest.ts',
      "import type { Egg } from './egg.js';\nexport type Nest = Egg[];\n",
    );
    for (const [file] of clocks) write(file, 'export const at = Date.now();\n');
    for (const [file, provider] of providers) write(file, `export const provider = ${provider};\n`);
    const found = lint();
    ({ imports: reported, clocks: reportedClocks, circles: reportedCircles } = found);
    reportedProviders = found.providers;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(betweenLibraries)('$file → $imports: allowed $allowed', ({ file, allowed }) => {
    expect(reported.has(file)).toBe(!allowed);
  });

  it.each(others)('$file → $imports: allowed $allowed', ({ file, allowed }) => {
    expect(reported.has(file)).toBe(!allowed);
  });

  it.each(betweenFloors)('$file → $imports: allowed $allowed', ({ file, allowed }) => {
    expect(reported.has(file)).toBe(!allowed);
  });

  it('finds a circle, also one of types', () => {
    expect([...reportedCircles].sort()).toEqual([
      'libs/redis/src/links/chicken.ts',
      'libs/redis/src/links/egg.ts',
    ]);
  });

  it.each(clocks)('R30: %s may read the wall clock: %s', (file, allowed) => {
    expect(reportedClocks.has(file)).toBe(!allowed);
  });

  it.each(providers)('%s: %s is allowed: %s', (file, _provider, allowed) => {
    expect(reportedProviders.has(file)).toBe(!allowed);
  });

  it('R30: nothing makes a Date of the present moment', () => {
    const sources = sourceFiles('apps', 'libs').filter(isProduct);
    expect(sources.length).toBeGreaterThan(200);
    const found = sources.filter(({ text }) => /new Date\(\)|[^.\w]Date\(\)/.test(text));
    expect(found).toEqual([]);
  });

  it('covers every library', () => {
    expect(readdirSync('libs').sort()).toEqual([...LIBRARIES].sort());
  });

  function write(file: string, text: string): void {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }

  /** The files in which an import, the wall clock or a provider is forbidden. */
  function lint(): Record<'imports' | 'clocks' | 'circles' | 'providers', Set<string>> {
    const oxlint = resolve('node_modules/.bin/oxlint');
    const { stdout } = spawnSync(oxlint, ['--format', 'json'], { cwd: folder, encoding: 'utf8' });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
    const filesOf = (rule: string): Set<string> =>
      new Set(diagnostics.filter(({ code }) => code.includes(rule)).map(({ filename }) => filename));
    return {
      imports: filesOf('house(imports)'),
      clocks: filesOf('no-restricted-properties'),
      circles: filesOf('no-cycle'),
      providers: filesOf('providers(bind)'),
    };
  }
});

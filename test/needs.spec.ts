import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { newSeed, Random, TemporaryFolder } from '@wss/testing';
import { sourceFiles } from './source-files.js';

const { needsOf } = (await import(pathToFileURL('tools/jest/needs.mjs').href)) as {
  needsOf(specs: string[]): Promise<Record<'build' | 'redis' | 'browser', string[]>>;
};
const files = sourceFiles('apps', 'libs', 'test');
const specs = files.filter(({ path }) => path.endsWith('.spec.ts'));

describe('what the specs need', () => {
  let needs: Record<'build' | 'redis' | 'browser', string[]>;
  beforeAll(async () => {
    needs = await needsOf(specs.map(({ path }) => path));
  });

  it('holds the build for each spec that starts a gateway itself, and for no feature test', () => {
    const starts = specs.filter(({ text }) =>
      /^(?!.*['"`].*Gateway).*Gateway(Node|Cluster)\.(start|launch)\(/m.test(text),
    );
    expect(starts.length).toBeGreaterThan(10);
    expect(starts.map(({ path }) => path).filter((path) => !needs.build.includes(path))).toEqual([]);
    expect(needs.build.filter((path) => /test\/features\/|^apps\//.test(path))).toEqual([]);
    expect(needs.build.length).toBeLessThan(specs.length / 3);
  });

  it('holds Redis and the browser', () => {
    expect(needs.browser).toContain('test/demo.page.spec.ts');
    expect(needs.redis).toContain('libs/testing/src/servers/redis-server.spec.ts');
    expect(needs.redis).not.toContain('libs/protocol/src/json-patch.spec.ts');
  });

  it('does not keep a spec among the longest that has gone', async () => {
    const weights = pathToFileURL('tools/jest/weights.mjs').href;
    const { LONGEST } = (await import(weights)) as { LONGEST: readonly string[] };
    const paths = new Set(specs.map(({ path }) => path));
    expect(LONGEST.filter((path) => !paths.has(path))).toEqual([]);
  });

  it('sees every way to the build: only GatewayNode knows its path', () => {
    // Scripts that run inside a container have the image's own.
    const others = ['test/needs.spec.ts', 'test/swarm/inside-scripts.ts'];
    const knows = files.filter(
      ({ path, text }) => /['"`/]dist\/(apps|libs)\//.test(text) && !others.includes(path),
    );
    expect(knows.map(({ path }) => path)).toEqual(['libs/testing/src/gateways/gateway-node.ts']);
  });
});

/** Ways to take something from a module and to use it or not. */
const TAKES: readonly ((from: string, name: string, uses: boolean) => string)[] = [
  (from, name, uses) => `import { ${name} } from '${from}';\nexport const a = ${uses ? name : '1'};`,
  (from, name, uses) =>
    `import { ${name} as other } from '${from}';\nexport const a = () => ${uses ? 'other' : '1'};`,
  (from, name, uses) =>
    `import * as all from '${from}';\nexport class A { use() { return ${uses ? `all.${name}` : '1'}; } }`,
  (from, name, uses) =>
    `import { type ${name} } from '${from}';\nexport let a: ${name};${uses ? `\nexport const b = async () => (await import('${from}')).${name};` : ''}`,
  (from, name, uses) =>
    uses ? `export { ${name} as a } from '${from}';` : `export type { ${name} as a } from '${from}';`,
];

describe('the need of a random spec', () => {
  const seed = newSeed();
  const random = new Random(seed);
  let folder: TemporaryFolder;
  beforeAll(() => {
    folder = new TemporaryFolder('needs');
  });
  afterAll(() => folder.remove());

  /** A spec that reaches the testing library through some helpers, and whether it uses a gateway. */
  function make(index: number): { path: string; needsBuild: boolean; isDynamic: boolean } {
    const gateway = random.next() < 0.5;
    const name = gateway
      ? random.pick(['GatewayNode', 'GatewayCluster'])
      : random.pick(['eventually', 'TcpProxy', 'RedisServer']);
    const uses = random.next() < 0.7;
    const depth = random.below(4);
    const take = random.pick(TAKES)('@wss/testing', name, uses);
    const paths = Array.from({ length: depth + 1 }, (_, level) =>
      join(folder.path, `s${index}-${level}.${level === depth && level > 0 ? 'spec.ts' : 'ts'}`),
    );
    paths.forEach((path, level) => {
      const below = `./s${index}-${level - 1}.js`;
      writeFileSync(
        path,
        level === 0
          ? `${take}\n${depth === 0 ? 'console.log(a)' : ''}`
          : level === depth
            ? `import * as helper from '${below}';\nconsole.log(helper);`
            : `export * from '${below}';`,
      );
    });
    return { path: paths[depth]!, needsBuild: gateway && uses, isDynamic: take.includes('await import') };
  }

  it('is the build if it uses what starts it, and otherwise only if it loads the whole library later', async () => {
    const made = Array.from({ length: 60 }, (_, index) => make(index));
    const { build } = await needsOf(made.map(({ path }) => path));
    const wrong = made.filter(({ path, needsBuild, isDynamic }) =>
      build.includes(path) ? !needsBuild && !isDynamic : needsBuild,
    );
    const shown = wrong.map(({ path }) => readFileSync(path.replace(/\d+\.spec\.ts$/, '0.ts'), 'utf8'));
    expect({ seed, shown }).toEqual({ seed, shown: [] });
  });
});

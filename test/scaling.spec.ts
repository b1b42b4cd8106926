import { describe, expect, it } from '@jest/globals';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Load {
  readonly connections: number;
  readonly members: number;
  readonly every: number;
  readonly perClient: number;
}
interface Plan {
  readonly nodes: number;
  readonly masters: number;
  readonly cores: { readonly nodes: number; readonly redis: number };
}
interface Use {
  readonly mean: number;
  readonly most: number;
}
interface Figures {
  readonly costs: Readonly<Record<string, number>>;
}
interface Sections {
  readonly LOADS: readonly Load[];
  sectionsOf(figures: Figures): Readonly<Record<string, string>>;
  withSections(document: string, sections: Readonly<Record<string, string>>): string;
  tried(
    load: Load,
    costs: Figures['costs'],
    seed: number,
  ): { plan: Plan; result: { nodes: Use; masters: Use; latencyMs: { p50: number; p99: number } } };
}
type Fit = (samples: readonly { parts: number[]; total: number }[]) => number[];

const root = fileURLToPath(new URL('..', import.meta.url));
const load = (path: string): Promise<unknown> => import(pathToFileURL(`${root}${path}`).href);
const { LOADS, sectionsOf, tried, withSections } = (await load('bench/scale/sections.mjs')) as Sections;
const { fit } = (await load('bench/scale/fit.mjs')) as { fit: Fit };
const figures = JSON.parse(readFileSync(`${root}bench/scale/figures.json`, 'utf8')) as Figures;
const seed = Number(process.env.SCALING_SEED ?? randomInt(2 ** 31));

describe(`the capacity model (SCALING_SEED=${seed})`, () => {
  it.each(LOADS)('agrees with a simulation of $connections connections, a message every $every s', (load) => {
    const { plan, result } = tried(load, figures.costs, seed);
    expect(result.nodes.mean / (plan.cores.nodes / plan.nodes)).toBeCloseTo(1, 1);
    expect(result.masters.mean / (plan.cores.redis / plan.masters)).toBeCloseTo(1, 1);
    // None is full: then the time from a publication to its last delivery would grow without an end.
    expect(result.nodes.most).toBeLessThan(0.9);
    expect(result.masters.most).toBeLessThan(0.9);
    expect(result.latencyMs.p99).toBeLessThan(50);
  });

  it('is what docs/scaling.md shows', () => {
    const document = readFileSync(`${root}docs/scaling.md`, 'utf8');
    const sections = sectionsOf(figures);
    for (const section of Object.values(sections)) expect(document).toContain(section);
    expect(withSections(document, sections)).toBe(document);
  });

  it('finds costs from sums of them', () => {
    const samples = [
      [1, 1, 8],
      [1, 2, 8],
      [1, 8, 8],
      [1, 2, 1_000],
    ].map((parts) => ({ parts, total: parts[0]! * 50 + parts[1]! * 20 + parts[2]! * 7 }));
    const [publish, receive, deliver] = fit(samples);
    expect([publish, receive, deliver].map((cost) => Math.round(cost!))).toEqual([50, 20, 7]);
    // A cost that would be below zero is none, and the others make up for it.
    const [first, second] = fit([
      { parts: [1, 0], total: 10 },
      { parts: [1, 1], total: 9 },
    ]);
    expect(second).toBe(0);
    expect(first).toBeCloseTo(9.5, 0);
  });
});

import { describe, expect, it } from '@jest/globals';
import { ARRIVAL_CASES } from './arrival-cases.js';
import { COMMAND_CASES } from './command-cases.js';
import { FRAME_CASES } from './frame-cases.js';
import type { LimitCase, Met } from './limit-case.js';
import { type LimitRow, limitRows } from './limit-rows.js';
import { goesOn, Scene } from './scene.js';

const CASES = Object.entries({ ...COMMAND_CASES, ...FRAME_CASES, ...ARRIVAL_CASES });

/** The cases whose name the row begins with; `|` ends a name that other rows begin with too. */
function casesOf({ what }: LimitRow): readonly LimitCase[] {
  return CASES.filter(([name]) => `${what} |`.startsWith(name)).flatMap(([, cases]) => cases);
}

const metricOf = ({ metrics }: LimitRow, { metric }: LimitCase): string | undefined =>
  metric === undefined ? metrics[0] : (metric ?? undefined);

describe.each(limitRows())('the limit of $what', (row) => {
  const cases = casesOf(row);

  it('has a case for each code and each metric of its row', () => {
    expect(cases.length).toBeGreaterThan(0);
    const codes = cases.flatMap(({ code = [] }) => code);
    expect(new Set(codes)).toEqual(new Set(row.codes));
    const metrics = cases.flatMap((each) => metricOf(row, each) ?? []);
    expect(new Set(metrics)).toEqual(new Set(row.metrics.filter((metric) => metric !== '–')));
  });

  for (const limit of cases) {
    it(`is met, told, counted, and harms nobody else: ${limit.way ?? 'as the table says'}`, async () => {
      const scene = await (limit.open?.() ?? Scene.open(limit.options));
      try {
        const metric = metricOf(row, limit);
        const before = metric === undefined ? 0 : await scene.counted(metric);
        const met = await limit.meet(scene);
        expect(met.codes.map(String)).toEqual(met.codes.map(() => limit.code));
        if (limit.code !== undefined) expect(met.codes).not.toEqual([]);
        if (metric !== undefined) await hasCounted(scene, { metric, before, met });
        for (const client of met.stays ?? []) await goesOn(client);
        await scene.bystanderGoesOn();
      } finally {
        await scene.close();
      }
    });
  }
});

it('has no case without a row', () => {
  const rows = limitRows().map(({ what }) => `${what} |`);
  expect(CASES.map(([name]) => name).filter((name) => !rows.some((what) => what.startsWith(name)))).toEqual(
    [],
  );
});

/** The node counts the end of a connection a moment after the client sees it. */
async function hasCounted(
  scene: Scene,
  { metric, before, met }: { readonly metric: string; readonly before: number; readonly met: Met },
): Promise<void> {
  const { codes, times = { from: codes.length, to: codes.length } } = met;
  await scene.until(async () => (await scene.counted(metric)) - before >= times.from);
  expect((await scene.counted(metric)) - before).toBeLessThanOrEqual(times.to);
}

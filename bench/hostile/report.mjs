import { say } from '../../scripts/lib/project.mjs';
import { median, quantile } from '../shared/quantile.mjs';
import { turnOf } from './figures.mjs';

/** Says what was measured against a kind of flood, and returns the ratio of the pooled windows. */
export function report(kind, { sides, told, rss, most }) {
  const pooled = (side, share) =>
    quantile(
      sides[side].flatMap(({ times }) => times),
      share,
    );
  const ofRounds = sides.flooded.map(
    ({ times }, at) => quantile(times, 0.99) / quantile(sides.quiet[at].times, 0.99),
  );
  const [quiet, flooded, beside] = ['quiet', 'flooded', 'beside'].map((side) => pooled(side, 0.99));
  const turns = (side) =>
    turnOf(
      sides[side].flatMap((each) => each.turns),
      0.99,
    );
  const core = (side, what) => median(sides[side].map(({ node }) => node[what])).toFixed(0);
  const range = `${Math.min(...ofRounds).toFixed(1)} to ${Math.max(...ofRounds).toFixed(1)}`;
  const ends = Object.entries(told.ends).map(([how, count]) => `${count} × ${how}`);
  const ratio = flooded / quiet;
  say(
    `${kind.padEnd(42)} p99 ${quiet.toFixed(1)} → ${flooded.toFixed(1)} ms, × ${ratio.toFixed(1)}` +
      `; rounds × ${median(ofRounds).toFixed(1)} (${range}); beside a sink ${beside.toFixed(1)} ms, × ${(beside / quiet).toFixed(1)}`,
  );
  say(
    `${''.padEnd(42)} p50 ${pooled('quiet', 0.5).toFixed(1)} → ${pooled('flooded', 0.5).toFixed(1)}` +
      `; most ${pooled('quiet', 1).toFixed(0)} → ${pooled('flooded', 1).toFixed(0)}` +
      `; CPU of a turn p99 ${turns('quiet').toFixed(1)} → ${turns('flooded').toFixed(1)} ms` +
      `; node on a core ${core('quiet', 'ran')} → ${core('flooded', 'ran')} %, waits for one ${core('quiet', 'waited')} → ${core('flooded', 'waited')} %` +
      `; RSS ${rss} → ${most} MiB; ${(told.bytes / 1e6).toFixed(1)} MB taken, ${ends.join(', ')}${told.failed ?? ''}`,
  );
  return ratio;
}

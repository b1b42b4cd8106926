import { CALM } from './running.mjs';

/** Units whose figures are shown beside the reference's as a ratio. */
const WITH_RATIO = ['µs', 'KiB'];

/**
 * The table of a run, in Markdown: a line for each row of the workloads, a column for each server. A cell is the median
 * of the rounds, as a ratio to the reference and, in brackets, as it is. Where rounds were calm, only those count.
 */
export function tableOf(rows, servers, samplesOf) {
  const [reference] = servers;
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) => {
    const basis = figureOf(samplesOf(row, reference), row);
    return line([
      `${row.name}, ${row.unit}`,
      ...servers.map((server) => cellOf(samplesOf(row, server), row, basis)),
    ]);
  });
  return [
    line(['', ...servers.map(({ name }) => name)]),
    line(['---', ...servers.map(() => '---:')]),
    ...body,
  ];
}

/** Everything that is to be known about the figures: rounds that failed, lost messages, or were not calm. */
export function remarksOf(rows, servers, samplesOf) {
  const remarks = [];
  for (const row of rows) {
    for (const server of servers) {
      const runs = samplesOf(row, server);
      if (runs.length === 0) continue;
      const where = `${row.name}, ${server.name}`;
      const good = runs.filter(({ failure }) => !failure);
      const calm = good.filter(isCalm).length;
      for (const failure of new Set(runs.flatMap((run) => run.failure ?? [])))
        remarks.push(`${where}: ${failure}`);
      const missing = Math.max(0, ...good.map((run) => run.missing ?? 0));
      if (missing > 0) remarks.push(`${where}: up to ${missing} of a round's messages are missing`);
      if (calm < good.length) remarks.push(`${where}: ${calm} of ${good.length} rounds were calm`);
      if (good.some(({ generator }) => generator > 0.95))
        remarks.push(`${where}: the generator was the limit`);
    }
  }
  return remarks;
}

function cellOf(runs, row, basis) {
  const figure = figureOf(runs, row);
  if (figure === undefined) return '–';
  if (!WITH_RATIO.includes(row.unit)) return row.unit === 'ms' ? figure.toFixed(2) : String(figure);
  return basis === undefined ? digits(figure) : `${(figure / basis).toFixed(2)} (${digits(figure)})`;
}

function figureOf(runs, { figure }) {
  const good = runs.filter((run) => Number.isFinite(run[figure]));
  const calm = good.filter(isCalm);
  const values = (calm.length > 0 ? calm : good).map((run) => run[figure]).sort((a, b) => a - b);
  const middle = values.length / 2;
  if (values.length === 0) return undefined;
  return values.length % 2 === 1 ? values[Math.floor(middle)] : (values[middle - 1] + values[middle]) / 2;
}

function isCalm({ foreign = 0 }) {
  return foreign <= CALM;
}

function digits(figure) {
  return figure < 10 ? figure.toFixed(2) : figure.toFixed(1);
}

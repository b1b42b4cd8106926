import { readFileSync } from 'node:fs';

/** A row of the table of limits in PROTOCOL.md. */
export interface LimitRow {
  readonly what: string;
  /** Error codes, statuses and close codes that it names; empty where nothing is refused. */
  readonly codes: readonly string[];
  /** Metrics with their labels, e.g. `wss_commands_total{outcome="limit"}`. */
  readonly metrics: readonly string[];
}

/** Reads the rows, in their order. */
export function limitRows(): LimitRow[] {
  const text = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
  const section = /\n## Limits\n([^]*?)\n## /.exec(text)![1]!;
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  const [head, ...rows] = lines.map((line) => line.slice(2, -2).split(' | '));
  if (head!.join() !== 'what,limit,beyond it,metric') throw new Error(`other columns: ${head!.join()}`);
  return rows.map(([what, , beyond, metric]) => ({
    what: what!,
    codes: quoted(beyond!).filter((name) => /^(?:\d{3,4}|[a-z]+(?:_[a-z]+)*)$/.test(name) && name !== 'ack'),
    metrics: quoted(metric!),
  }));
}

function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}

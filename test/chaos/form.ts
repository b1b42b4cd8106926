import { writeSync } from 'node:fs';

/** How much the runs do. */
interface Form {
  readonly commands: number;
  readonly localFailovers: number;
  readonly processFailovers: number;
  /** After this long a run counts as hung, ms. */
  readonly timeoutMs: number;
}

const SHORT: Form = {
  commands: 600,
  localFailovers: 3,
  processFailovers: 2,
  timeoutMs: 120_000,
};

const LONG: Form = {
  commands: 10_000,
  localFailovers: 20,
  processFailovers: 10,
  timeoutMs: 1_800_000,
};

/** `CHAOS=long` (which `npm run chaos` sets) asks for the long form. */
export const FORM = process.env.CHAOS === 'long' ? LONG : SHORT;

/** Prints what a run did, on one line, with the seed that `CHAOS_SEED` takes to do it again. */
export function report(run: string, figures: Readonly<Record<string, number>>): void {
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  writeSync(process.stderr.fd, `${run}: ${parts.join(', ')}\n`);
}

import { Buckets, Tally } from './tallies.js';

/** The commands of one event. */
interface EventTally {
  readonly outcomes: Tally;
  readonly seconds: Buckets;
}

/** Counts commands by their event and outcome, and how long those of an event took. */
export class CommandTallies {
  private readonly events = new Map<string, EventTally>();

  constructor(private readonly bounds: readonly number[]) {}

  ended(event: string, outcome: string, seconds: number): void {
    let tally = this.events.get(event);
    if (!tally)
      this.events.set(event, (tally = { outcomes: new Tally(), seconds: new Buckets(this.bounds) }));
    tally.outcomes.add(outcome);
    tally.seconds.add(seconds);
  }

  outcomes(): (readonly [{ event: string; outcome: string }, number])[] {
    return [...this.events].flatMap(([event, { outcomes }]) =>
      outcomes.all().map(([outcome, value]) => [{ event, outcome }, value] as const),
    );
  }

  seconds(): (readonly [{ event: string }, Buckets])[] {
    return [...this.events].map(([event, { seconds }]) => [{ event }, seconds] as const);
  }
}

import { IsInt, Max, Min } from 'class-validator';

export class Add {
  @IsInt()
  @Min(-1_000)
  @Max(1_000)
  by!: number;
}

/** Log event `counter.added`. */
export class Added {
  @IsInt()
  @Min(-1_000)
  @Max(1_000)
  by!: number;

  /** The counter after it. */
  @IsInt()
  value!: number;
}

/** Reply to `counter.add`. */
export class CounterValue {
  @IsInt()
  value!: number;
}

/** Reply to `counter.read`. */
export class CounterReading extends CounterValue {
  /** Number of the event that last changed the counter; 0 if none did. */
  @IsInt()
  @Min(0)
  version!: number;
}

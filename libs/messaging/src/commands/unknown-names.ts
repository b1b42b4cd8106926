import { Injectable, Optional } from '@nestjs/common';
import { didYouMean, GatewayError, RoomTypeRegistry } from '@wss/core';
import { ErrorHints } from '../ports/ports.js';

/** Suggestions per second; the comparison of names costs much more than a refusal. */
const HINTS_PER_SECOND = 20;

/** Refuses names that nothing declares. In development it suggests declared ones; it never repeats the name. */
@Injectable()
export class UnknownNames {
  private hints = 0;
  private hintsSince = 0;

  constructor(
    private readonly types: RoomTypeRegistry,
    @Optional() private readonly errorHints?: ErrorHints,
  ) {}

  /** @param declared the events that have a handler */
  event(name: string, declared: Iterable<string>): GatewayError {
    return new GatewayError(
      'unknown_event',
      `no handler for this event${this.hint(name, declared, 'compare its name with the contract')}`,
    );
  }

  /** @param type the part of the room's name before the colon */
  roomType(type: string): GatewayError {
    const remedy = 'compare the part before the colon with the contract';
    return new GatewayError(
      'not_found',
      `no such kind of room${this.hint(type, this.types.all().keys(), remedy)}`,
    );
  }

  private hint(name: string, declared: Iterable<string>, remedy: string): string {
    return (this.mayHint() && didYouMean(name, declared)) || `; ${remedy}`;
  }

  private mayHint(): boolean {
    if (!this.errorHints?.showsNames) return false;
    const now = performance.now();
    if (now - this.hintsSince >= 1_000) {
      this.hintsSince = now;
      this.hints = 0;
    }
    return this.hints++ < HINTS_PER_SECOND;
  }
}

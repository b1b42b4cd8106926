import type { ErrorDetail } from '@wss/protocol';

/** Most problems that a walk over received data notes; a short list of wrong values must not cause a long answer. */
const MAX_PROBLEMS = 20;

/** Judges a value and notes what is wrong. */
export type Check = (value: unknown, walk: ValueWalk) => void;

/** A walk over data: where it is, and what it found. */
export class ValueWalk {
  readonly problems: ErrorDetail[] = [];
  private readonly path: (string | number)[] = [];

  /** @param direction `sent`: the data are instances, whose dates become text */
  constructor(private readonly direction: 'received' | 'sent') {}

  refuse(message: string): void {
    const isFull = this.direction === 'received' && this.problems.length >= MAX_PROBLEMS;
    if (!isFull) this.problems.push({ path: this.path.join('.'), message });
  }

  /** Refuses a field of the present value. */
  refuseAt(key: string | number, message: string): void {
    this.path.push(key);
    this.refuse(message);
    this.path.pop();
  }

  /** Checks a field or an element of the present value. */
  at(key: string | number, value: unknown, check: Check): void {
    this.path.push(key);
    check(this.direction === 'sent' && value instanceof Date ? value.toJSON() : value, this);
    this.path.pop();
  }
}

/** The JSON type of a value; that of a number which JSON can't carry, and of anything else, is none. */
export function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'none';
  if (value instanceof Map || value instanceof Set) return 'none';
  return typeof value;
}

import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { bind, bindClass, bindFactory, bindValue } from './bind.js';

abstract class Clock {
  abstract now(): number;
}

class FixedClock extends Clock {
  now(): number {
    return 7;
  }
}

class StoppedWatch {
  read(): number {
    return 7;
  }
}

abstract class Calendar {
  abstract today(): number;
}

describe('bound ports', () => {
  it('are what they are bound to', async () => {
    const fixed = new FixedClock();
    const today = (now: Clock): Calendar => ({ today: () => now.now() });
    for (const binding of [bindValue(Clock, fixed), bindClass(Clock, FixedClock), bind(Clock, FixedClock)]) {
      const module = await Test.createTestingModule({
        providers: [FixedClock, binding, bindFactory(Calendar, [Clock], today)],
      }).compile();
      expect(module.get(Clock)).toBeInstanceOf(FixedClock);
      expect(module.get(Calendar).today()).toBe(7);
    }
  });

  it('take nothing from the compiler that does not fit', () => {
    const bindings = [
      // @ts-expect-error It has no `now`.
      bind(Clock, StoppedWatch),
      // @ts-expect-error It has no `now`.
      bindClass(Clock, StoppedWatch),
      // @ts-expect-error It has no `now`.
      bindValue(Clock, new StoppedWatch()),
      // @ts-expect-error It has no `now`.
      bindFactory(Clock, [], () => new StoppedWatch()),
      // @ts-expect-error It is made of a clock, and gets a calendar.
      bindFactory(Calendar, [Calendar], (clock: Clock) => ({ today: () => clock.now() })),
    ];
    expect(bindings).toHaveLength(5);
  });
});

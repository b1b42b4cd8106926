import { describe, expect, it } from '@jest/globals';
import { IsString } from 'class-validator';
import { Reply, replyTypeOf } from '../handlers/reply.js';
import { Empty, eventNameIn, RoomEvents, Sends, sentBy } from './room-events.js';

class Voted {
  @IsString()
  user!: string;
}

class Typing {
  @IsString()
  user!: string;
}

class Bare {}

const events = new RoomEvents(
  'poll',
  { 'poll.voted': Voted, 'poll.closed': Empty },
  { 'poll.typing': Typing },
);

describe('the events of a room type', () => {
  it('are known by name and by class', () => {
    expect(events.nameOf('poll.voted', 'logged')).toBe('poll.voted');
    expect(events.nameOf(Voted, 'logged')).toBe('poll.voted');
    expect(events.nameOf(Typing, 'volatile')).toBe('poll.typing');
  });

  it('are the only ones, and the error shows what to add', () => {
    expect(() => events.nameOf('poll.votd', 'logged')).toThrow(
      `"poll.votd" is not among the logged events of room type "poll" (poll.voted, poll.closed): add it, @RoomType('poll', { events: { 'poll.votd': <class of its data> } })`,
    );
    expect(() => events.nameOf(Bare, 'volatile')).toThrow('class Bare is not among the volatile events');
    expect(() => events.nameOf('toString', 'logged')).toThrow('"toString" is not among');
  });

  it('stay what they were declared as', () => {
    expect(() => events.nameOf('poll.typing', 'logged')).toThrow('is not among the logged events');
    expect(() => events.nameOf('poll.voted', 'volatile')).toThrow('is not among the volatile events');
  });

  it('that share a class are told apart by name only', () => {
    const shared = new RoomEvents('poll', { a: Voted, b: Voted }, {});
    expect(shared.nameOf('b', 'logged')).toBe('b');
    expect(() => shared.nameOf(Voted, 'logged')).toThrow('Voted is the data of a and b; name the event');
  });

  it('may be anything where none is declared, but then have no class', () => {
    expect(eventNameIn(undefined, 'whatever', 'logged')).toBe('whatever');
    expect(() => eventNameIn(undefined, Voted, 'logged')).toThrow(
      "must be declared: @RoomType('<type>', { events: { '<name>': Voted } })",
    );
  });

  it.each<[string, () => RoomEvents, string]>([
    [
      'a class without rules',
      () => new RoomEvents('poll', { a: Bare }, {}),
      'Bare, the data of "a", has no class-validator rules',
    ],
    [
      'a name of the system',
      () => new RoomEvents('poll', { $a: Voted }, {}),
      '"$a" is not a valid event name',
    ],
    [
      'an event that is both',
      () => new RoomEvents('poll', { a: Voted }, { a: Voted }),
      '"a" is in events and in volatile',
    ],
    [
      'a class that is not there',
      () => new RoomEvents('poll', { a: undefined as never }, {}),
      '"a" has no class',
    ],
  ])('do not boot with %s', (_name, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('events outside of rooms', () => {
  it('are declared on the class that sends them', () => {
    @Sends({ 'inbox.arrived': Voted })
    class Inbox {}
    expect(sentBy(Inbox)).toEqual({ 'inbox.arrived': Voted });
    expect(sentBy(Bare)).toEqual({});
  });
});

describe('the reply of a handler', () => {
  class Handlers {
    @Reply(Voted)
    promised(): Promise<Voted> {
      return Promise.resolve({ user: 'ann' });
    }

    @Reply(null)
    async nothing(): Promise<void> {}

    @Reply(Voted)
    direct(): Voted {
      return { user: 'ann' };
    }

    // @ts-expect-error a reply must be what the handler returns
    @Reply(Voted)
    other(): Promise<number> {
      return Promise.resolve(1);
    }

    // @ts-expect-error a handler that returns something replies it
    @Reply(null)
    something(): Promise<number> {
      return Promise.resolve(1);
    }
  }
  class Undecorated {
    @Sometimes
    direct(): Voted {
      return { user: 'ann' };
    }

    @Sometimes
    promised(): Promise<Voted> {
      return Promise.resolve({ user: 'ann' });
    }

    @Sometimes
    text(): string {
      return '';
    }
  }

  it('is what @Reply names', () => {
    expect(replyTypeOf(Handlers.prototype, 'promised')).toBe(Voted);
    expect(replyTypeOf(Handlers.prototype, 'nothing')).toBeNull();
  });

  it('is what it returns, where that is not erased', () => {
    expect(replyTypeOf(Undecorated.prototype, 'direct')).toBe(Voted);
    expect(replyTypeOf(Undecorated.prototype, 'text')).toBe(String);
    expect(replyTypeOf(Undecorated.prototype, 'promised')).toBeUndefined();
  });
});

/** Any decorator makes the compiler keep the types. */
function Sometimes(_target: object, _method: string, _descriptor: PropertyDescriptor): void {}

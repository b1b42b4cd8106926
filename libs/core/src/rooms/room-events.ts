import type { Type } from '@nestjs/common';
import { isSystemEvent, MAX_EVENT_LENGTH } from '@wss/protocol';
import { requireCarried } from '../validation/json-fields.js';
import { hasRules } from '../validation/validation.js';

/** Events by name, and the class of each one's data. */
export type EventClasses = Readonly<Record<string, Type<object>>>;

/** Data without properties: `events: { 'poll.closed': Empty }`, or a reply `{}`. */
export class Empty {}

/** Names an event, by its name or by the class that it was declared with. */
export type EventName<D extends object = object> = string | Type<D>;

/** The events that rooms of a type may send. */
export class RoomEvents {
  /** @throws Error that says what to do, when a name is bad or declared twice, or a class has no rules. */
  constructor(
    readonly type: string,
    /** Events that are kept in the room's log. */
    readonly logged: EventClasses,
    /** Events that may be lost and have no number. */
    readonly volatile: EventClasses,
  ) {
    for (const [name, data] of [...Object.entries(logged), ...Object.entries(volatile)]) {
      checkEvent(`room type "${type}"`, name, data);
    }
    const twice = Object.keys(logged).find((name) => Object.hasOwn(volatile, name));
    if (twice) {
      throw new Error(`room type "${type}": "${twice}" is in events and in volatile; keep one of them`);
    }
  }

  /** @throws Error when the event is not declared */
  nameOf(event: EventName, kind: 'logged' | 'volatile'): string {
    const declared = this[kind];
    if (typeof event === 'string') {
      if (Object.hasOwn(declared, event)) return event;
      throw this.undeclared(`"${event}"`, event, kind);
    }
    const names = Object.keys(declared).filter((name) => declared[name] === event);
    if (names.length === 1) return names[0]!;
    if (names.length === 0) throw this.undeclared(`class ${event.name}`, '<name>', kind);
    throw new Error(
      `${event.name} is the data of ${names.join(' and ')}; name the event instead of its class, or give each a class`,
    );
  }

  private undeclared(what: string, name: string, kind: 'logged' | 'volatile'): Error {
    const option = kind === 'logged' ? 'events' : 'volatile';
    const known = Object.keys(this[kind]).join(', ') || 'none';
    return new Error(
      `${what} is not among the ${kind} events of room type "${this.type}" (${known}): add it, @RoomType('${this.type}', { ${option}: { '${name}': <class of its data> } })`,
    );
  }
}

/**
 * Returns the name of an event, checked against the declaration of the room's type; a type that declares no events
 * takes every name.
 * @throws Error that says what to declare
 */
export function eventNameIn(
  events: RoomEvents | undefined,
  event: EventName,
  kind: 'logged' | 'volatile',
): string {
  if (events) return events.nameOf(event, kind);
  if (typeof event === 'string') return event;
  throw new Error(
    `an event named by its class ${event.name} must be declared: @RoomType('<type>', { events: { '<name>': ${event.name} } })`,
  );
}

const SENDS = Symbol('wss:sends');

/**
 * Declares the events that a provider sends outside of rooms, to a user, a client or everybody, for the contract:
 * `@Sends({ 'inbox.arrived': Arrived })`.
 */
export function Sends(events: EventClasses): ClassDecorator {
  return (target) => {
    for (const [name, data] of Object.entries(events)) checkEvent(target.name, name, data);
    Reflect.defineMetadata(SENDS, events, target);
  };
}

/** The events that `@Sends` declared on a class, if it did. */
export function sentBy(target: object): EventClasses {
  return (Reflect.getMetadata(SENDS, target) as EventClasses | undefined) ?? {};
}

function checkEvent(owner: string, name: string, data: Type<object> | undefined): void {
  if (name === '' || name.length > MAX_EVENT_LENGTH || isSystemEvent(name)) {
    throw new Error(
      `${owner}: "${name}" is not a valid event name: use 1 to ${MAX_EVENT_LENGTH} characters, not starting with $`,
    );
  }
  if (typeof data !== 'function') {
    throw new Error(
      `${owner}: "${name}" has no class; import it as a value, not with "import type", and mind circular imports`,
    );
  }
  if (data !== Empty && !hasRules(data)) {
    throw new Error(
      `${owner}: ${data.name}, the data of "${name}", has no class-validator rules, so its fields are unknown; decorate them, or use Empty`,
    );
  }
  requireCarried(data, 'sent', `${owner}, event "${name}"`);
}

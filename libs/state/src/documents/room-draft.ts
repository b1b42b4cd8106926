import type { Type } from '@nestjs/common';
import { eventNameIn, type EventName, GatewayError, type RoomEvents } from '@wss/core';
import { type EncodedEvent, isSystemEvent, MAX_EVENT_LENGTH } from '@wss/protocol';
import { counterSlot } from '../store/counter-slots.js';
import type { CounterOperation } from '../store/room-store.js';
import { isLargerThan } from '../store/text-size.js';

/** Largest data of one event, bytes of JSON. */
const MAX_EVENT_BYTES = 65_536;

/** Bounds of a native counter; the whole command is refused if the value would leave them. */
export interface CounterBounds {
  readonly min?: number;
  readonly max?: number;
}

/** Stands for a counter's value after the commit; put it into the reply or into an event's data. */
export interface CounterResult {
  toJSON(): unknown;
}

/**
 * A command's effects on its room besides changing the document. Everything here takes effect together with the
 * document, or not at all. It belongs to one run of the update function, and throws once that has returned.
 */
export abstract class RoomDraft {
  /**
   * A further document of the room, as the function's own copy: what the function does to it is checked, written and sent with
   * all the rest. The same object for the same class, also for the class of the document that the function was called with.
   *
   * While others write, a run may find documents of different moments. Such a run has no effect, its error included, and the
   * function runs again.
   * @throws Error for a class that is not a document of this kind of room, or that no module names in
   *   `WssModule.forFeature`
   */
  abstract document<D extends object>(type: Type<D>): D;

  /**
   * Appends an event to the room's log: kept, numbered, and sent to every member on every node, in order.
   * An event of which the room's type declares the class may be named by that class; then the compiler checks the data.
   * @throws GatewayError `too_large` over {@link MAX_EVENT_BYTES}, `internal` for a name that is empty, too long or
   *   starts with `$`, and for an event that the room's type does not declare while it declares others.
   */
  abstract append(event: string, data?: unknown): void;
  abstract append<D extends object>(event: Type<D>, data: D): void;

  /**
   * Adds to a native counter of the room, an integer that starts at 0 and never leaves its bounds.
   * The command is answered `rejected` if it would.
   */
  abstract count(name: string, by: number, bounds?: CounterBounds): CounterResult;
}

/** Collects the effects of one run of an update function. */
export class CollectedDraft extends RoomDraft {
  readonly events: EncodedEvent[] = [];
  readonly counters: CounterOperation[] = [];
  private readonly slots: { marker: string; index: number }[] = [];
  private ended = false;

  constructor(
    private readonly declared: RoomEvents | undefined,
    private readonly open: <D extends object>(type: Type<D>) => D,
  ) {
    super();
  }

  document<D extends object>(type: Type<D>): D {
    this.requireRun();
    return this.open(type);
  }

  append(event: EventName, data?: unknown): void {
    this.requireRun();
    this.events.push(encodeLogEvent(eventNameIn(this.declared, event, 'logged'), this.encode(data)));
  }

  count(name: string, by: number, bounds: CounterBounds = {}): CounterResult {
    this.requireRun();
    if (!Number.isSafeInteger(by)) throw new TypeError(`a counter takes whole numbers, not ${by}`);
    const index = this.counters.push({ name: wellFormed(name), by, ...bounds }) - 1;
    const marker = `counter:${index}:${crypto.randomUUID()}`;
    this.slots.push({ marker, index });
    return { toJSON: () => marker };
  }

  /** The run is over: its effects are what they are. */
  end(): void {
    this.ended = true;
  }

  /** JSON of a value in which counters may stand. */
  encode(value: unknown): string {
    let json = JSON.stringify(value) ?? 'null';
    for (const { marker, index } of this.slots) json = json.replaceAll(`"${marker}"`, counterSlot(index));
    return json;
  }

  private requireRun(): void {
    if (this.ended) throw new Error('the update function has returned; its room takes no more effects');
  }
}

/**
 * Half a surrogate pair has no bytes of its own: Redis would take two names for the same, the memory engine would not
 * (R34).
 */
function wellFormed(name: string): string {
  return name.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Checks and encodes an event for the log; `$` names belong to the system. */
export function encodeLogEvent(event: string, dataJson: string): EncodedEvent {
  if (event === '' || event.length > MAX_EVENT_LENGTH || isSystemEvent(event)) {
    throw new Error(
      `"${event}" is not a valid event name: use 1 to ${MAX_EVENT_LENGTH} characters, not starting with $`,
    );
  }
  if (isLargerThan(dataJson, MAX_EVENT_BYTES)) {
    throw new GatewayError('too_large', `the data of an event is larger than ${MAX_EVENT_BYTES} bytes`);
  }
  return { event: JSON.stringify(event), data: dataJson };
}

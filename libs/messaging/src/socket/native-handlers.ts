import { kindOf, stackOf } from '@wss/protocol';
import type { WsMessageHandler } from '@nestjs/common';
import { catchError, EMPTY, type Observable, Subscription } from 'rxjs';

type Transform = (data: unknown) => Observable<unknown>;
type NativeCallback = WsMessageHandler['callback'];

/** Which of a gateway's handlers an event has; the same for all clients of a path. */
class EventIndex {
  private readonly messages: readonly unknown[];
  // As in Nest, an event need not be a string. Of two handlers for one event in one gateway the last counts.
  private readonly positions: ReadonlyMap<unknown, number>;

  constructor(handlers: readonly WsMessageHandler<unknown>[]) {
    this.messages = handlers.map(({ message }) => message);
    this.positions = new Map(this.messages.map((message, position) => [message, position]));
  }

  isOf(handlers: readonly WsMessageHandler<unknown>[]): boolean {
    const { messages } = this;
    return handlers.length === messages.length && handlers.every(({ message }, i) => message === messages[i]);
  }

  positionOf(event: unknown): number | undefined {
    return this.positions.get(event);
  }
}

/** The indexes of a path's gateways, in the order in which Nest adds their handlers to each client. */
const indexes = new WeakMap<object, EventIndex[]>();

/** One gateway's handlers for one client: Nest binds each of them to the client. */
interface BoundHandlers {
  readonly index: EventIndex;
  readonly callbacks: readonly NativeCallback[];
  readonly transform: Transform;
}

/**
 * Handlers of the `@WebSocketGateway` classes on one client's path, with Nest's contract: handlers of several
 * gateways may share an event and all run; each value of a returned Observable is sent; nil is not.
 */
export class NativeHandlers {
  private readonly gateways: BoundHandlers[] = [];
  private readonly running = new Subscription();

  /**
   * @param path stands for the client's path, whose clients all have the same gateways
   * @param send sends an answer; it gets `undefined` for a value that JSON does not have
   * @param report logs a fault, see `LogGate`
   */
  constructor(
    private readonly path: object,
    private readonly send: (text: string | undefined) => void,
    private readonly report: (kind: string, line: string) => void,
  ) {}

  /** Adds the handlers of one gateway. */
  add(handlers: readonly WsMessageHandler<unknown>[], transform: Transform): void {
    const index = this.indexOf(handlers);
    this.gateways.push({ index, callbacks: handlers.map(({ callback }) => callback), transform });
  }

  private indexOf(handlers: readonly WsMessageHandler<unknown>[]): EventIndex {
    const known = indexes.get(this.path) ?? [];
    indexes.set(this.path, known);
    const place = this.gateways.length;
    const index = known[place];
    if (index?.isOf(handlers)) return index;
    return (known[place] = new EventIndex(handlers));
  }

  /** True if a gateway handles the event. */
  has(event: unknown): boolean {
    return this.gateways.some(({ index }) => index.positionOf(event) !== undefined);
  }

  /** Runs every handler of the event; a failure of one message never stops the next. */
  dispatch(event: unknown, data: unknown): void {
    for (const { index, callbacks, transform } of this.gateways) {
      const position = index.positionOf(event);
      if (position !== undefined) this.run(callbacks[position]!, transform, data, event);
    }
  }

  /** Cancels streams that are still open, when the client has gone. */
  stop(): void {
    this.running.unsubscribe();
  }

  private run(callback: NativeCallback, transform: Transform, data: unknown, event: unknown): void {
    let result: Observable<unknown>;
    try {
      result = transform(callback(data, event));
    } catch (error) {
      this.failed(event, error);
      return;
    }
    // A stream leaves the set when it ends.
    this.running.add(
      result
        .pipe(
          catchError((error: unknown) => {
            this.failed(event, error);
            return EMPTY;
          }),
        )
        .subscribe((value) => this.answer(value, event)),
    );
  }

  /** The event has a handler, so there are few kinds. */
  private failed(event: unknown, error: unknown): void {
    const name = String(event);
    this.report(`"${name}" ${kindOf(error)}`, `a gateway's handler of "${name}" failed: ${stackOf(error)}`);
  }

  private answer(value: unknown, event: unknown): void {
    if (value === undefined || value === null) return;
    try {
      this.send(JSON.stringify(value) as string | undefined);
    } catch (error) {
      // An error thrown here would end the process.
      this.failed(event, error);
      const data = { status: 'error', message: 'Internal server error', cause: { pattern: event } };
      this.send(JSON.stringify({ event: 'exception', data }));
    }
  }
}

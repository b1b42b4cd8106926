import { kindOf, stackOf } from '@wss/protocol';
import type { WsMessageHandler } from '@nestjs/common';
import { catchError, EMPTY, type Observable, Subscription } from 'rxjs';

type Transform = (data: unknown) => Observable<unknown>;
type NativeCallback = WsMessageHandler['callback'];

/**
 * Handlers of the `@WebSocketGateway` classes on one client's path, with Nest's contract: handlers of several
 * gateways may share an event and all run; each value of a returned Observable is sent; nil is not.
 */
export class NativeHandlers {
  // As in Nest, an event need not be a string.
  private readonly byEvent = new Map<unknown, { callback: NativeCallback; transform: Transform }[]>();
  private readonly running = new Subscription();

  /**
   * @param send sends an answer; it gets `undefined` for a value that JSON does not have
   * @param report logs a fault, see `LogGate`
   */
  constructor(
    private readonly send: (text: string | undefined) => void,
    private readonly report: (kind: string, line: string) => void,
  ) {}

  /** Adds the handlers of one gateway; of two for the same event in one gateway the last counts. */
  add(handlers: readonly WsMessageHandler<unknown>[], transform: Transform): void {
    const ofGateway = new Map(handlers.map(({ message, callback }) => [message, callback]));
    for (const [event, callback] of ofGateway) {
      const list = this.byEvent.get(event) ?? [];
      this.byEvent.set(event, [...list, { callback, transform }]);
    }
  }

  /** True if a gateway handles the event. */
  has(event: unknown): boolean {
    return this.byEvent.has(event);
  }

  /** Runs every handler of the event; a failure of one message never stops the next. */
  dispatch(event: unknown, data: unknown): void {
    for (const { callback, transform } of this.byEvent.get(event) ?? [])
      this.run(callback, transform, data, event);
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

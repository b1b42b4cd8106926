import { Logger } from '@nestjs/common';
import { FrameError, kindOf, LogGate, parseJson, stackOf, toClientFrame } from '@wss/protocol';
import type { RawData } from 'ws';
import type { ClientSocket, FrameRouter } from '../socket/client-socket.js';

/** Reads a message as `{event, data}`; returns nothing to drop it. */
export type MessageParser = (data: RawData) => unknown;

/** Parses each message once and takes it to a native gateway's handlers or to the router. */
export class FrameReader {
  private readonly logger = new Logger('WsAdapter');
  private readonly faults = new LogGate((line) => this.logger.error(line));

  constructor(
    /** Replaces JSON if it is set. */
    public parser?: MessageParser,
  ) {}

  /** Reads one message. Never throws: a frame that can't be read is answered. */
  read(client: ClientSocket, data: RawData, isBinary: boolean, router: FrameRouter | undefined): void {
    try {
      if (isBinary && router && !this.parser) throw new FrameError('binary frames are not supported');
      const text = this.parser ? undefined : textOf(data);
      const value = text === undefined ? this.parser!(data) : parseJson(text);
      if (text === undefined && !value) return;
      this.route(client, value, { length: text?.length ?? Infinity, bytes: sizeOf(data) }, router);
    } catch (error) {
      this.refuse(client, error, router);
    }
  }

  private route(
    client: ClientSocket,
    value: unknown,
    { length, bytes }: { readonly length: number; readonly bytes: number },
    router: FrameRouter | undefined,
  ): void {
    const { event, data } = (value ?? {}) as { event?: unknown; data?: unknown };
    if (client.native?.has(event)) client.native.dispatch(event, data);
    else if (router) router.dispatch(client, toClientFrame(value, length), bytes);
    else
      throw new FrameError(
        typeof event === 'string' ? 'no handler for this event' : 'the frame has no event',
      );
  }

  private refuse(client: ClientSocket, error: unknown, router: FrameRouter | undefined): void {
    if (!(error instanceof FrameError)) this.faults.report(kindOf(error), stackOf(error));
    const refusal = error instanceof FrameError ? error : new FrameError('the frame could not be read');
    if (router) return router.refuse(client, refusal);
    if (client.readyState !== client.OPEN) return;
    client.send(JSON.stringify({ event: 'exception', data: { status: 'error', message: refusal.message } }));
  }
}

function sizeOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, { length }) => sum + length, 0) : data.byteLength;
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString();
  return Array.isArray(data) ? Buffer.concat(data).toString() : Buffer.from(data).toString();
}

import { Logger } from '@nestjs/common';
import { FrameError, kindOf, LogGate, parseFrame, parseJson, stackOf, toClientFrame } from '@wss/protocol';
import type { RawData } from 'ws';
import type { ClientSocket, FrameRouter } from '../socket/client-socket.js';
import { frameBytes } from '../socket/frame-size.js';
import type { NativeHandlers } from '../socket/native-handlers.js';

/** Reads a message as `{event, data}`; returns nothing to drop it. As in Nest, text comes as a string. */
export type MessageParser = (data: RawData | string) => unknown;

interface Message {
  readonly event?: unknown;
  readonly data?: unknown;
}

/** Parses each message once and takes it to a native gateway's handlers or to the router. */
export class FrameReader {
  private readonly logger = new Logger('WsAdapter');
  private readonly faults = new LogGate((line) => this.logger.error(line));

  constructor(
    /** Replaces JSON if it is set. */
    public parser?: MessageParser,
  ) {}

  /** Reads one message for the router. Never throws: a frame that can't be read is answered. */
  read(client: ClientSocket, data: RawData, isBinary: boolean, router: FrameRouter): void {
    try {
      if (isBinary && !this.parser) throw new FrameError('binary frames are not supported');
      const text = isBinary ? undefined : textOf(data);
      if (this.parser || client.native) this.readShared(client, { data, text }, router);
      else router.dispatch(client, parseFrame(text!), frameBytes(data));
    } catch (error) {
      if (!(error instanceof FrameError)) this.failed(error);
      router.refuse(
        client,
        error instanceof FrameError ? error : new FrameError('the frame could not be read'),
      );
    }
  }

  /** Reads a message that may be for a native gateway, which gets all data that it is sent. */
  private readShared(
    client: ClientSocket,
    { data, text }: { readonly data: RawData; readonly text: string | undefined },
    router: FrameRouter,
  ): void {
    const value = this.parser ? this.parser(text ?? data) : parseJson(text!);
    if (this.parser && !value) return;
    const { event, data: content } = (value ?? {}) as Message;
    if (client.native?.has(event)) client.native.dispatch(event, content);
    else router.dispatch(client, toClientFrame(value), frameBytes(data));
  }

  /** Reads one message as Nest does: it drops what it can't read and what no gateway handles. Never throws. */
  readNative(handlers: NativeHandlers, data: RawData, isBinary: boolean): void {
    const message = this.messageOf(isBinary ? data : textOf(data));
    if (message && handlers.has(message.event)) handlers.dispatch(message.event, message.data);
  }

  private messageOf(data: RawData | string): Message | undefined {
    try {
      return (this.parser ? this.parser(data) : JSON.parse(data.toString())) as Message | undefined;
    } catch (error) {
      // Anybody can send what is no JSON; a parser of the application that throws has a bug.
      if (this.parser) this.failed(error);
      return undefined;
    }
  }

  private failed(error: unknown): void {
    this.faults.report(kindOf(error), stackOf(error));
  }
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString();
  return Array.isArray(data) ? Buffer.concat(data).toString() : Buffer.from(data).toString();
}

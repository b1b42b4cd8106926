import { randomUUID } from 'node:crypto';
import type { Session } from '@wss/cluster';
import { type Command, CommandOrder, type RecordedAnswer, type RoomHold } from '@wss/core';
import { type ClientFrame, encodeError, encodeReply, type ReplyPosition } from '@wss/protocol';
import type { ServerFrame } from '@wss/testing';
import type { Connection, ConnectionListener } from './connection.js';

/** A client's connection to a local node. Frames pass as text, in order, and never in the turn that sent them. */
export class LocalConnection implements Connection {
  readonly id = randomUUID();
  readonly user: string;
  readonly claims = {};
  readonly rooms = new Map<string, RoomHold>();
  open = true;
  private readonly orders = new Map<string, CommandOrder>();

  constructor(
    readonly session: Session,
    private readonly listener: ConnectionListener,
    private readonly node: {
      onFrame(connection: LocalConnection, frame: ClientFrame): void;
      onClose(connection: LocalConnection): void;
    },
  ) {
    this.user = session.user;
  }

  orderIn(room: string): CommandOrder {
    const known = this.orders.get(room) ?? new CommandOrder();
    this.orders.set(room, known);
    return known;
  }

  send(frame: object): void {
    const text = JSON.stringify(frame);
    setImmediate(() => this.open && this.node.onFrame(this, JSON.parse(text) as ClientFrame));
  }

  push(text: string): void {
    setImmediate(() => this.open && this.listener.onFrame(JSON.parse(text) as ServerFrame));
  }

  answer(command: Command, answer: RecordedAnswer, position?: ReplyPosition): void {
    if ('error' in answer) this.push(encodeError(command.id, answer.error.toBody(), position));
    else this.push(encodeReply(command.id!, answer.data, position));
  }

  terminate(): void {
    this.end(1006);
  }

  end(code: number): void {
    if (!this.open) return;
    this.open = false;
    this.node.onClose(this);
    setImmediate(() => this.listener.onClose(code));
  }
}

import { Command, type CommandInit, GatewayError, type UserCharge } from '@wss/core';
import { encodeError, encodeReply, encodeReplyJson, type ReplyPosition } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { textFrame } from '../socket/text-frame.js';

const NO_CHARGES: readonly UserCharge[] = [];

/** The error of a command whose deadline has passed. */
export function notInTime(): GatewayError {
  return new GatewayError('unavailable', 'the command was not done in time');
}

/** A command that knows its way back: it is answered once, by the first answer. */
export class RoutedCommand extends Command {
  /** True if the reply was sent, or must not be sent any more. */
  answered = false;
  /** Its answer: `ok` or the code of an error. */
  outcome = 'ok';
  /** When it arrived, ms of this process' steady clock. */
  readonly startedAt = performance.now();
  /** True if its end has been reported to the observer. */
  observed = false;
  /** True while it is charged to the limits of its connection. */
  paid = false;
  /** Charges to the limits of its user over all rooms. */
  userCharges: readonly UserCharge[] = NO_CHARGES;

  /** Size of its frame. */
  readonly bytes: number;
  /** True if the client gave it a number, even one that can't count. */
  readonly hasNumber: boolean;
  /** True while it counts against the commands that its connection may have under way. */
  private counts = false;

  declare readonly client: ClientSocket;

  constructor({
    bytes = 0,
    ...init
  }: CommandInit & { readonly client: ClientSocket; readonly bytes?: number }) {
    super(init);
    this.bytes = bytes;
    this.hasNumber = init.frame.n !== undefined;
  }

  /** Counts it against the commands that its connection may have under way, until {@link release}. */
  hold(): void {
    this.counts = true;
    this.client.took(this.bytes);
  }

  /** Stops counting it, because it is answered or over; calling it again has no effect. */
  release(): void {
    if (!this.counts) return;
    this.counts = false;
    this.client.gaveBack(this.bytes);
  }

  /** True if limits of its room are still to be charged, because no commit was, before it is answered. */
  get owesCharges(): boolean {
    return this.charges !== undefined && !this.claimed && !this.answered;
  }

  /** Replies with data. Without an `id` there is no reply on success. */
  answer(data: unknown, position?: ReplyPosition): void {
    if (this.answered) return;
    this.finish(this.id === undefined ? undefined : encodeReply(this.id, data, position));
  }

  /** Like {@link answer}, with JSON. */
  answerJson(json: string): void {
    if (!this.answered) this.finish(this.id === undefined ? undefined : encodeReplyJson(this.id, json));
  }

  /** Replies with JSON, in its place among the frames of its room. */
  answerInOrder(json: string): void {
    if (this.answered) return;
    this.answered = true;
    if (this.id !== undefined) this.client.queue?.push(textFrame(encodeReplyJson(this.id, json)));
  }

  /** Replies with an error; without an `id` it goes out as an `error` event. */
  fail(error: GatewayError, position?: ReplyPosition): void {
    if (this.answered) return;
    this.outcome = error.code;
    this.finish(encodeError(this.id, error.toBody(), position));
  }

  private finish(text: string | undefined): void {
    this.answered = true;
    if (text !== undefined) this.client.reply(text);
  }
}

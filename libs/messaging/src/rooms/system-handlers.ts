import { Injectable, Optional } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { CurrentCommand, GatewayError, isEngineError, type PresencePage, toReadError } from '@wss/core';
import { isEpoch, MAX_TOKEN_LENGTH } from '@wss/protocol';
import {
  Allow,
  IsBoolean,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Answers } from '../commands/answers.js';
import { type HistoryRange, HistoryReader } from '../commands/history-reader.js';
import { type ClientIdentity, ClientSocket } from '../socket/client-socket.js';
import { Admission, RevocationSource, UpgradeRefusal } from '../ports/ports.js';
import { RoomAccess } from './room-access.js';
import { PresenceReader } from './presence-reader.js';
import type { RoutedCommand } from '../commands/routed-command.js';
import { SystemHandler } from '../commands/system-handler.js';

/** Largest meta of a client in a room, bytes of JSON. */
const MAX_META_BYTES = 1_024;

/** Data of `$join`. */
export class JoinRoom {
  /** With `seq`: the position from which to go on. Anything but an epoch is `bad_frame`, as in the envelope. */
  @Allow()
  epoch?: unknown;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  seq?: number;

  /** Without a position and without `state`: this many of the newest events first. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(10_000)
  last?: number;

  /** True if the client keeps a live copy of the documents: it gets them now, and events carry patches. */
  @IsOptional()
  @IsBoolean()
  state?: boolean;

  /** Data on the user that others see, if the room shows who is in it. */
  @IsOptional()
  @IsObject()
  meta?: object;
}

/** Data of `$presence`. */
export class ReadPresence {
  /** Name of the user after which to begin. */
  @IsOptional()
  @IsString()
  @MaxLength(1_024)
  after?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(500)
  limit?: number;
}

/** Data of `$history`. */
export class ReadHistory {
  /** The page ends before the event with this number. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  before?: number;

  /** With `before`: the epoch of that number. Anything but an epoch is `bad_frame`. */
  @Allow()
  epoch?: unknown;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(500)
  limit?: number;
}

/** Data of `$auth`. */
export class RefreshToken {
  @IsString()
  @MaxLength(MAX_TOKEN_LENGTH)
  token!: string;
}

/** The `$` events that every client may send. */
@Injectable()
@SystemHandler()
export class SystemHandlers {
  constructor(
    private readonly rooms: RoomAccess,
    private readonly presence: PresenceReader,
    private readonly history: HistoryReader,
    private readonly answers: Answers,
    private readonly admission: Admission,
    @Optional() private readonly revocations?: RevocationSource,
  ) {}

  @SubscribeMessage('$join')
  async join(@MessageBody() data: JoinRoom, @CurrentCommand() command: RoutedCommand): Promise<void> {
    needRoom(command);
    const { epoch, seq, last = 0, state = false, meta } = withoutNulls(data);
    needEpoch(epoch);
    if ((epoch === undefined) !== (seq === undefined)) {
      throw new GatewayError('invalid', 'a position is "epoch" and "seq" together', {
        details: [{ path: epoch === undefined ? 'epoch' : 'seq', message: 'is missing' }],
      });
    }
    if (meta && Buffer.byteLength(JSON.stringify(meta)) > MAX_META_BYTES) {
      throw new GatewayError('invalid', 'meta is too large', {
        details: [{ path: 'meta', message: `must be at most ${MAX_META_BYTES} bytes of JSON` }],
      });
    }
    const from = epoch === undefined ? undefined : { epoch, seq: seq! };
    const request = { newest: last, documents: state, ...(from && { from }), ...(meta && { meta }) };
    await this.rooms.join(command, request);
  }

  @SubscribeMessage('$leave')
  leave(@CurrentCommand() command: RoutedCommand): void {
    needRoom(command);
    this.rooms.leave(command.client, command.room!);
    command.answerInOrder('{}');
  }

  @SubscribeMessage('$presence')
  members(
    @MessageBody() data: ReadPresence,
    @CurrentCommand() command: RoutedCommand,
  ): Promise<PresencePage> {
    needRoom(command);
    return this.presence.page(command, withoutNulls(data));
  }

  @SubscribeMessage('$history')
  async past(
    @MessageBody() { before, epoch, limit }: ReadHistory,
    @CurrentCommand() command: RoutedCommand,
  ): Promise<void> {
    needRoom(command);
    const range = withoutNulls({ before, epoch, limit });
    needEpoch(range.epoch);
    if (range.epoch !== undefined && range.before === undefined) {
      throw new GatewayError('invalid', 'an "epoch" is that of "before"', {
        details: [{ path: 'before', message: 'is missing' }],
      });
    }
    await this.history.answer(command, range as HistoryRange);
  }

  @SubscribeMessage('$skip')
  async skip(@CurrentCommand() command: RoutedCommand): Promise<void> {
    if (!command.number) throw new GatewayError('bad_frame', '"$skip" needs a number');
    await this.answers.skip(command);
  }

  @SubscribeMessage('$auth')
  async auth(
    @MessageBody() { token }: RefreshToken,
    @ConnectedSocket() client: ClientSocket,
  ): Promise<{ expiresAt: number | null }> {
    try {
      const identity = await this.admission.refresh(token, client.user);
      const { issuedAt } = (await this.revocations?.check(identity)) ?? {};
      const { expiresAt, claims } = identity;
      client.identify(withoutNulls({ expiresAt, claims, issuedAt }) as ClientIdentity);
      return { expiresAt: identity.expiresAt ?? null };
    } catch (error) {
      if (isEngineError(error)) throw toReadError(error);
      if (!(error instanceof UpgradeRefusal)) throw error;
      throw new GatewayError(error.status === 503 ? 'unavailable' : 'unauthenticated', error.message);
    }
  }

  @SubscribeMessage('$ping')
  ping(): object {
    return {};
  }
}

/** Returns system data without absent properties: `null` counts as absent. */
function withoutNulls<Data extends object>(data: Data): Data {
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => value !== null && value !== undefined),
  ) as Data;
}

function needEpoch(epoch: unknown): asserts epoch is string | undefined {
  if (epoch === undefined || isEpoch(epoch)) return;
  throw new GatewayError('bad_frame', '"epoch" must be an epoch from a server');
}

function needRoom(command: RoutedCommand): void {
  if (command.room === undefined) throw new GatewayError('bad_frame', `"${command.event}" needs a "room"`);
}

import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { CurrentCommand, GatewayError } from '@wss/handlers';
import { IsBoolean, IsOptional } from 'class-validator';
import { Answers } from './answers.js';
import { RoomAccess } from './room-access.js';
import type { RoutedCommand } from './routed-command.js';

/** Data of `$join`. */
export class JoinRoom {
  /** Whether the client keeps a live copy of the documents: events then carry patches. */
  @IsOptional()
  @IsBoolean()
  state?: boolean;
}

/** The `$` events that every client may send. */
@Injectable()
export class SystemHandlers {
  constructor(
    private readonly rooms: RoomAccess,
    private readonly answers: Answers,
  ) {}

  @SubscribeMessage('$join')
  async join(@MessageBody() data: JoinRoom, @CurrentCommand() command: RoutedCommand): Promise<void> {
    needRoom(command);
    await this.rooms.join(command, { withPatch: data.state ?? false });
  }

  @SubscribeMessage('$leave')
  leave(@CurrentCommand() command: RoutedCommand): object {
    needRoom(command);
    this.rooms.leave(command.client, command.room!);
    return {};
  }

  @SubscribeMessage('$skip')
  async skip(@CurrentCommand() command: RoutedCommand): Promise<void> {
    if (!command.number) throw new GatewayError('bad_frame', '"$skip" needs a number');
    await this.answers.skip(command);
  }

  @SubscribeMessage('$ping')
  ping(): object {
    return {};
  }
}

function needRoom(command: RoutedCommand): void {
  if (command.room === undefined) throw new GatewayError('bad_frame', `"${command.event}" needs a "room"`);
}

import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { CurrentCommand, GatewayError } from '@wss/handlers';
import { IsBoolean, IsOptional } from 'class-validator';
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
  constructor(private readonly rooms: RoomAccess) {}

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

  @SubscribeMessage('$ping')
  ping(): object {
    return {};
  }
}

function needRoom(command: RoutedCommand): void {
  if (command.room === undefined) throw new GatewayError('bad_frame', `"${command.event}" needs a "room"`);
}

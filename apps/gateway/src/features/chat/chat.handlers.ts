import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { type Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomType } from '@wss/handlers';
import { type MessageSent, SendMessage } from './chat.messages.js';

@Injectable()
@RoomType('chat', { history: { events: 1_000 } })
export class ChatHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('chat.send')
  send(@MessageBody() { text }: SendMessage, @CurrentCommand() command: Command): Promise<Appended> {
    const message: MessageSent = { user: command.user, text, at: Date.now() };
    return this.rooms.to(command.room!).append(command, 'chat.sent', message);
  }

  @SubscribeMessage('chat.typing')
  async typing(@CurrentCommand() command: Command): Promise<void> {
    const { user, client } = command;
    await this.rooms.to(command.room!).volatile('chat.typing', { user }, { except: client.id });
  }
}

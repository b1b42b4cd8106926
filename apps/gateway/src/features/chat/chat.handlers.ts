import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, Command, CurrentCommand, Reply, Rooms, RoomType } from '@wss/nest';
import { MessageSent, SendMessage, Typing } from './chat.messages.js';

@Injectable()
@RoomType('chat', {
  history: { events: 1_000 },
  presence: true,
  events: { 'chat.sent': MessageSent },
  volatile: { 'chat.typing': Typing },
})
export class ChatHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('chat.send')
  @Reply(Appended)
  send(@MessageBody() { text }: SendMessage, @CurrentCommand() command: Command): Promise<Appended> {
    const { room, user } = command;
    return this.rooms.to(room!).append(command, MessageSent, { user, text, at: Date.now() });
  }

  @SubscribeMessage('chat.typing')
  @Reply(null)
  async typing(@CurrentCommand() command: Command): Promise<void> {
    const { room, user, client } = command;
    await this.rooms.to(room!).volatile(Typing, { user }, { except: client.id });
  }
}

import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Command, CurrentCommand, RoomType } from '@wss/handlers';
import { InjectState, StateRepository } from '@wss/state';
import { Counter } from './counter.document.js';
import { Add } from './counter.messages.js';

@Injectable()
@RoomType('counter', {})
export class CounterHandlers {
  constructor(@InjectState(Counter) private readonly counters: StateRepository<Counter>) {}

  @SubscribeMessage('counter.add')
  add(@MessageBody() { by }: Add, @CurrentCommand() command: Command): Promise<{ value: number }> {
    return this.counters.update(command, (counter, room) => {
      const value = (counter.value += by);
      room.append('counter.added', { by, value });
      return { value };
    });
  }

  @SubscribeMessage('counter.read')
  async read(@CurrentCommand() command: Command): Promise<{ value: number; version: number }> {
    const { value: counter, version } = await this.counters.read(command);
    return { value: counter.value, version };
  }
}

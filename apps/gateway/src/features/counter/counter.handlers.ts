import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Command, CurrentCommand, InjectState, Reply, RoomType, StateRepository } from '@wss/nest';
import { Counter } from './counter.document.js';
import { Add, Added, CounterReading, CounterValue } from './counter.messages.js';

@Injectable()
@RoomType('counter', { events: { 'counter.added': Added } })
export class CounterHandlers {
  constructor(@InjectState(Counter) private readonly counters: StateRepository<Counter>) {}

  @SubscribeMessage('counter.add')
  @Reply(CounterValue)
  add(@MessageBody() { by }: Add, @CurrentCommand() command: Command): Promise<CounterValue> {
    return this.counters.update(command, (counter, room) => {
      const value = (counter.value += by);
      room.append(Added, { by, value });
      return { value };
    });
  }

  @SubscribeMessage('counter.read')
  @Reply(CounterReading)
  async read(@CurrentCommand() command: Command): Promise<CounterReading> {
    const { value: counter, version } = await this.counters.read(command);
    return { value: counter.value, version };
  }
}

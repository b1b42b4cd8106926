import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Rooms } from '@wss/nest';
import { PollItemAdded } from './poll/poll.messages.js';

/** Writes into a room in every hook of its life, and prints what became of it. */
@Injectable()
export class Life
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(private readonly rooms: Rooms) {}

  onApplicationBootstrap = () => this.write('onApplicationBootstrap');
  onModuleDestroy = () => this.write('onModuleDestroy');
  beforeApplicationShutdown = () => this.write('beforeApplicationShutdown');
  onApplicationShutdown = () => this.write('onApplicationShutdown');

  private async write(text: string): Promise<void> {
    const room = this.rooms.to('poll:life');
    const written = room.append('by node', PollItemAdded, { id: text, text, user: 'life' });
    console.log(`life ${text} ${await written.then(({ seq }) => seq, String)}`);
  }
}

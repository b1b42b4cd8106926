import { Module } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Client,
  Command,
  CurrentCommand,
  InjectState,
  RateLimit,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { IsInt } from 'class-validator';

const HOUR = 3_600_000;

/** How many commands of each kind the rate limits let through. */
export const RATE = 4;

class Turn {
  @IsInt()
  by!: number;
}

@RoomDocument('mill')
class Mill {
  @IsInt()
  turns = 0;
}

@RoomType('mill', { events: { 'mill.turned': Turn }, openToAll: true })
class MillHandlers {
  constructor(@InjectState(Mill) private readonly mills: StateRepository<Mill>) {}

  @SubscribeMessage('mill.turn')
  turn(@MessageBody() turn: Turn, @CurrentCommand() command: Command): Promise<number> {
    return this.mills.update(command, (mill, room) => {
      room.append('mill.turned', turn);
      return ++mill.turns;
    });
  }

  /** A write of the handler itself, under a key. */
  @SubscribeMessage('mill.once')
  once(@MessageBody() { by }: Turn, @CurrentCommand() { room }: Command): Promise<number> {
    return this.mills.update({ room: room!, once: `k${by}` }, (mill) => ++mill.turns);
  }

  /** A thousand of these writes. */
  @SubscribeMessage('mill.fill')
  async fill(@MessageBody() { by }: Turn, @CurrentCommand() { room }: Command): Promise<void> {
    const keys = Array.from({ length: 1_000 }, (_, index) => `f${by}.${index}`);
    await Promise.all(keys.map((once) => this.mills.update({ room: room!, once }, (mill) => ++mill.turns)));
  }

  /** Its reply is too large to be recorded. */
  @SubscribeMessage('mill.show')
  show(@CurrentCommand() command: Command): Promise<string> {
    return this.mills.update(command, (mill) => {
      mill.turns++;
      return 'x'.repeat(5_000);
    });
  }

  @SubscribeMessage('mill.rush')
  @RateLimit({ per: 'room', limit: RATE, windowMs: HOUR })
  rush(@MessageBody() turn: Turn, @CurrentCommand() command: Command): Promise<number> {
    return this.turn(turn, command);
  }

  @SubscribeMessage('mill.vote')
  @RateLimit({ per: 'user', limit: RATE, windowMs: HOUR })
  vote(@MessageBody() turn: Turn, @CurrentCommand() command: Command): Promise<number> {
    return this.turn(turn, command);
  }

  @SubscribeMessage('mill.roam')
  @RateLimit({ per: 'user', overRooms: true, limit: RATE, windowMs: HOUR })
  roam(@MessageBody() turn: Turn, @CurrentCommand() command: Command): Promise<number> {
    return this.turn(turn, command);
  }
}

@RoomType('cell', { maxMembers: 2 })
class Cells {}

/** Commands without a room. */
export class YardHandlers {
  /** Calls of `yard.wait` under way, and the most that there were at a time. */
  waiting = 0;
  most = 0;
  /** Lets all that wait go on. */
  open!: () => void;
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));

  @SubscribeMessage('yard.look')
  look(@MessageBody() { by }: Turn): number {
    return by;
  }

  @SubscribeMessage('yard.knock')
  @RateLimit({ per: 'client', limit: RATE, windowMs: HOUR })
  knock(@ConnectedSocket() { user }: Client): string {
    return user;
  }

  @SubscribeMessage('yard.wait')
  async wait(): Promise<null> {
    this.most = Math.max(this.most, ++this.waiting);
    await this.opened;
    this.waiting--;
    return null;
  }
}

@Module({ imports: [WssModule.forFeature([Mill])], providers: [MillHandlers, Cells, YardHandlers] })
export class MillModule {}

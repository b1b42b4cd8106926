import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  Empty,
  InjectState,
  Reply,
  RoomDocument,
  Rooms,
  RoomType,
  StateRepository,
  useWss,
  WssModule,
} from '@wss/nest';
import { WssMetricsModule } from '@wss/nest/metrics';
import { IsBoolean, IsInt, IsString, Length, Min } from 'class-validator';

/** An application with one feature, as users write it, with the metrics that one in production has. */
const { PORT, REDIS_SERVER } = process.env;

/** Far above what a client of a workload sends: limits are kept count of, and slow nobody down. */
const FAR = 1_000_000;
const FAR_BYTES = 1_000_000_000;

class Question {
  @IsInt()
  @Min(0)
  id!: number;

  @IsString()
  @Length(1, 200)
  text!: string;
}

class Answer {
  @IsInt()
  id!: number;

  @IsBoolean()
  ok!: boolean;
}

class Publication {
  @IsString()
  @Length(1, 64)
  room!: string;

  @IsInt()
  t!: number;

  @IsInt()
  n!: number;

  @IsString()
  @Length(1, 4_096)
  p!: string;
}

class Glimpse extends Publication {}

class Counted {
  @IsInt()
  v!: number;
}

@RoomDocument('bench')
class Counter {
  @IsInt()
  value = 0;
}

@Injectable()
@RoomType('bench', {
  events: { msg: Publication, counted: Counted },
  volatile: { glimpse: Glimpse },
  openToAll: true,
})
class RoomHandlers {
  constructor(
    private readonly rooms: Rooms,
    @InjectState(Counter) private readonly counters: StateRepository<Counter>,
  ) {}

  @SubscribeMessage('bench.pub')
  async publish(@MessageBody() data: Publication, @CurrentCommand() command: Command): Promise<void> {
    await this.rooms.to(command.room!).append(command, Publication, data);
  }

  @SubscribeMessage('bench.glimpse')
  async glimpse(@MessageBody() data: Publication, @CurrentCommand() command: Command): Promise<void> {
    await this.rooms.to(command.room!).volatile(Glimpse, data);
  }

  @SubscribeMessage('bench.incr')
  @Reply(Counted)
  increment(@CurrentCommand() command: Command): Promise<Counted> {
    return this.counters.update(command, (counter, room) => {
      const v = ++counter.value;
      room.append(Counted, { v });
      return { v };
    });
  }
}

@Injectable()
class EchoHandlers {
  @SubscribeMessage('bench.echo')
  @Reply(Answer)
  echo(@MessageBody() { id }: Question): Answer {
    return { id, ok: true };
  }

  @SubscribeMessage('bench.collect')
  @Reply(Empty)
  collect(): Empty {
    globalThis.gc!();
    return {};
  }
}

@Module({ imports: [WssModule.forFeature([Counter])], providers: [RoomHandlers, EchoHandlers] })
class BenchModule {}

@Module({
  imports: [
    WssModule.forRoot({
      auth: 'none',
      ...(REDIS_SERVER !== undefined && { redis: REDIS_SERVER }),
      limits: { framesPerSecond: FAR, bytesPerSecond: FAR_BYTES, handshakesPerSecond: FAR },
    }),
    WssMetricsModule.forRoot({ server: { port: 0 } }),
    BenchModule,
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error'] });
useWss(app);
app.enableShutdownHooks();
await app.listen(Number(PORT), '127.0.0.1');

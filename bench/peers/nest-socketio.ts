import 'reflect-metadata';
import { Module, UsePipes, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import type { Server, ServerOptions, Socket } from 'socket.io';
import { Join, Key, Publication, Question } from './bench-messages.js';

/** Nest with socket.io and its adapter for Redis, as Nest's documents recommend for more than one node. */
const { PORT, REDIS_SERVER } = process.env;
const commands = createClient({ url: REDIS_SERVER ?? 'redis://127.0.0.1' });

@UsePipes(new ValidationPipe())
@WebSocketGateway({ transports: ['websocket'] })
class RoomsGateway {
  @WebSocketServer()
  private readonly server!: Server;

  @SubscribeMessage('join')
  async join(@ConnectedSocket() client: Socket, @MessageBody() { room }: Join): Promise<object> {
    await client.join(room);
    return { ok: true };
  }

  @SubscribeMessage('pub')
  publish(@MessageBody() data: Publication): void {
    this.server.to(data.room).emit('msg', data);
  }

  @SubscribeMessage('echo')
  echo(@MessageBody() { id }: Question): object {
    return { id, ok: true };
  }

  @SubscribeMessage('incr')
  async increment(@MessageBody() { key }: Key): Promise<object> {
    return { v: await commands.incr(key) };
  }

  @SubscribeMessage('collect')
  collect(): object {
    globalThis.gc!();
    return {};
  }
}

class RedisIoAdapter extends IoAdapter {
  private adapter?: ReturnType<typeof createAdapter>;

  async connect(): Promise<void> {
    const subscriber = commands.duplicate();
    await Promise.all([commands.connect(), subscriber.connect()]);
    this.adapter = createAdapter(commands, subscriber);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const server = super.createIOServer(port, options) as Server;
    if (this.adapter) server.adapter(this.adapter);
    return server;
  }
}

@Module({ providers: [RoomsGateway] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
const adapter = new RedisIoAdapter(app);
if (REDIS_SERVER !== undefined) await adapter.connect();
app.useWebSocketAdapter(adapter);
await app.listen(Number(PORT), '127.0.0.1');

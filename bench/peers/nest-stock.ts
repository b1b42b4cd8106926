import 'reflect-metadata';
import { Controller, Module, UsePipes, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  EventPattern,
  Payload,
  type RedisOptions,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { Redis } from 'ioredis';
import type { WebSocket } from 'ws';
import { Join, Key, Publication, Question } from './bench-messages.js';

/**
 * Nest as its documents show it: `WsAdapter`, `ValidationPipe`, its transport over Redis for the cluster, and a loop over
 * the room's members. `HANDLERS` adds so many handlers that nobody calls.
 */
const { PORT, REDIS_SERVER, HANDLERS = '0' } = process.env;
const transport = REDIS_SERVER === undefined ? undefined : transportOf(new URL(REDIS_SERVER));
const bus = transport && ClientProxyFactory.create(transport);
const commands = REDIS_SERVER === undefined ? undefined : new Redis(REDIS_SERVER);

@UsePipes(new ValidationPipe())
@WebSocketGateway()
class RoomsGateway implements OnGatewayDisconnect {
  private readonly rooms = new Map<string, Set<WebSocket>>();

  @SubscribeMessage('join')
  join(@ConnectedSocket() client: WebSocket, @MessageBody() { room }: Join): object {
    const members = this.rooms.get(room) ?? new Set<WebSocket>();
    this.rooms.set(room, members.add(client));
    return { event: 'join', data: { ok: true } };
  }

  @SubscribeMessage('pub')
  publish(@MessageBody() data: Publication): void {
    if (bus) bus.emit('msg', data);
    else this.deliver(data);
  }

  @SubscribeMessage('echo')
  echo(@MessageBody() { id }: Question): object {
    return { event: 'echo', data: { id, ok: true } };
  }

  @SubscribeMessage('incr')
  async increment(@MessageBody() { key }: Key): Promise<object> {
    return { event: 'incr', data: { v: await commands!.incr(key) } };
  }

  @SubscribeMessage('collect')
  collect(): object {
    globalThis.gc!();
    return { event: 'collect', data: {} };
  }

  deliver(data: Publication): void {
    for (const client of this.rooms.get(data.room) ?? []) client.send(JSON.stringify({ event: 'msg', data }));
  }

  handleDisconnect(client: WebSocket): void {
    for (const [room, members] of this.rooms) {
      if (members.delete(client) && members.size === 0) this.rooms.delete(room);
    }
  }
}

for (let i = 0; i < Number(HANDLERS); i++) {
  const method = { value: (data: Question) => data, writable: true, configurable: true };
  Object.defineProperty(RoomsGateway.prototype, `more${i}`, method);
  SubscribeMessage(`more-${i}`)(RoomsGateway.prototype, `more${i}`, method);
}

@Controller()
class BusController {
  constructor(private readonly gateway: RoomsGateway) {}

  @EventPattern<string>('msg')
  receive(@Payload() data: Publication): void {
    this.gateway.deliver(data);
  }
}

@Module({ providers: [RoomsGateway], controllers: [BusController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.useWebSocketAdapter(new WsAdapter(app));
if (transport && bus) {
  app.connectMicroservice(transport);
  await app.startAllMicroservices();
  await bus.connect();
}
await app.listen(Number(PORT), '127.0.0.1');

function transportOf({ hostname, port }: URL): RedisOptions {
  return { transport: Transport.REDIS, options: { host: hostname, port: Number(port) } };
}

import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  Logger,
  Module,
  Scope,
  UnauthorizedException,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SubscribeMessage } from '@nestjs/websockets';
import {
  Cluster,
  commandOf,
  GatewayError,
  GatewayErrorFilter,
  RoomType,
  useWss,
  WssModule,
  type WssOptions,
} from '@wss/nest';
import { eventually, TestClient } from '@wss/testing';

const seen: string[] = [];

/** A guard as an application has it for its HTTP routes. */
@Injectable()
class BearerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(`${context.getType()} ${commandOf(context)?.event ?? ''}`);
    const { headers } = context.switchToHttp().getRequest<{ headers?: { authorization?: string } }>();
    if (!headers?.authorization) throw new UnauthorizedException('sign in');
    return true;
  }
}

@Injectable()
@RoomType('poll', {})
class PollHandlers {
  @SubscribeMessage('poll.vote')
  vote(): object {
    return { voted: true };
  }

  @EventPattern<string>('poll.closed')
  closed(): void {
    seen.push('closed');
  }
}

/** Belongs to the other microservice, and is nothing that the cluster could use. */
@Controller({ scope: Scope.REQUEST })
class OrderController {
  @MessagePattern('order.read')
  read(): string {
    return 'order';
  }

  @MessagePattern('order.read')
  readAgain(): string {
    return 'again';
  }
}

@Controller()
class PollController {
  @Get('polls')
  read(): never {
    throw new GatewayError('not_found', 'no such poll');
  }
}

let app: INestApplication;
let client: TestClient | undefined;
let errors: string[];

async function start(options: Partial<WssOptions>, configure: (app: INestApplication) => unknown = () => 0) {
  @Module({
    imports: [WssModule.forRoot({ path: '/live', auth: 'none', ...options })],
    providers: [
      PollHandlers,
      { provide: APP_GUARD, useClass: BearerGuard },
      { provide: APP_FILTER, useClass: GatewayErrorFilter },
    ],
    controllers: [PollController, OrderController],
  })
  class AppModule {}
  seen.length = 0;
  errors = [];
  Logger.overrideLogger({
    log: () => undefined,
    warn: () => undefined,
    error: (message: unknown) => void errors.push(String(message)),
  });
  app = await NestFactory.create(AppModule, new FastifyAdapter(), { abortOnError: false });
  app.connectMicroservice({ transport: Transport.TCP, options: { port: 0, host: '127.0.0.1' } });
  configure(app);
  useWss(app);
  await app.listen(0, '127.0.0.1');
  client = await TestClient.connect(`ws://127.0.0.1:${portOf()}/live`, { user: 'ann' });
}

const portOf = (): number => ((app.getHttpServer() as Server).address() as AddressInfo).port;

afterEach(async () => {
  client?.socket.terminate();
  await app.close();
  Logger.overrideLogger(['error', 'fatal']);
});

describe('the global enhancers of an application with WssModule', () => {
  it('keep no client out of a room, and are named where they refuse commands', async () => {
    await start({});
    await client!.join('poll:1');
    for (let count = 0; count < 2; count++) {
      const { error } = await client!.request('poll.vote', {}, { room: 'poll:1' });
      expect(error).toMatchObject({ code: 'unauthenticated', message: 'sign in' });
    }
    expect(seen).toEqual(['ws poll.vote', 'ws poll.vote']);
    expect(errors).toEqual([
      expect.stringMatching(/^BearerGuard, a global guard, .* globalEnhancers: false$/),
    ]);
  });

  it('run on no command with globalEnhancers: false, and on HTTP requests as ever', async () => {
    await start({ globalEnhancers: false });
    await client!.join('poll:1');
    expect(await client!.command('poll.vote', {}, { room: 'poll:1' })).toEqual({ voted: true });
    const url = `http://127.0.0.1:${portOf()}/polls`;
    expect((await fetch(url)).status).toBe(401);
    const response = await fetch(url, { headers: { authorization: 'Bearer x' } });
    expect([response.status, await response.json()]).toEqual([
      404,
      { code: 'not_found', message: 'no such poll', retry: false },
    ]);
    expect(errors).toEqual([]);
  });

  it('run on no event of the cluster, whose handlers stand beside another microservice', async () => {
    await start({});
    await app.get(Cluster).emit('poll.closed');
    await eventually(() => expect(seen).toEqual(['closed']));
  });
});

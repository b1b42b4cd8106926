import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  type Command,
  commandOf,
  CurrentCommand,
  GatewayError,
  GatewayErrorFilter,
  RoomType,
} from '@wss/core';
import type { Observable } from 'rxjs';
import { NativeApp } from '../native/native-app.js';
import { routerModule } from '../test-ports.js';

const seen: string[] = [];

function note(who: string, context: ArgumentsHost): void {
  const command = commandOf(context);
  seen.push(`${who}: ${command ? `${command.event} of ${command.user} in ${command.room}` : 'none'}`);
}

@Injectable()
class NotingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    note('guard', context);
    return commandOf(context)?.room !== 'talk:closed';
  }
}

@Injectable()
class NotingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note('interceptor', context);
    return next.handle();
  }
}

@Catch()
class NotingFilter implements ExceptionFilter {
  async catch(_error: unknown, host: ArgumentsHost): Promise<void> {
    await Promise.resolve();
    note('filter', host);
  }
}

@Injectable()
class JoinGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    note('join guard', context);
    return commandOf(context)?.room !== 'talk:private';
  }
}

@Injectable()
@RoomType('talk', { join: JoinGuard })
@UseInterceptors(NotingInterceptor)
@UseFilters(NotingFilter)
class TalkHandlers {
  @SubscribeMessage('talk.fail')
  fail(@CurrentCommand() command: Command): never {
    throw new GatewayError('rejected', `refused ${command.user}`);
  }

  @SubscribeMessage('talk.gone')
  @UseFilters(GatewayErrorFilter)
  gone(): never {
    throw new GatewayError('not_found', 'no such word', { details: [{ path: 'word' }] });
  }
}

@WebSocketGateway({ path: '/native' })
class NativeGateway {
  @SubscribeMessage('native.say')
  say(): object {
    return { event: 'said' };
  }

  @SubscribeMessage('native.gone')
  @UseFilters(GatewayErrorFilter)
  gone(): never {
    throw new GatewayError('not_found', 'no such word', { details: [{ path: 'word' }] });
  }
}

@Controller()
class HttpController {
  @Get('http')
  @UseGuards(NotingGuard)
  read(): string {
    return 'read';
  }
}

@WebSocketGateway({ path: '/', commands: true })
class RouterGateway {}

let native: NativeApp | undefined;
afterEach(async () => {
  seen.length = 0;
  await native?.stop();
  native = undefined;
});

async function start(): Promise<NativeApp> {
  return (native = await NativeApp.start(
    routerModule({
      providers: [RouterGateway, NativeGateway, TalkHandlers, { provide: APP_GUARD, useClass: NotingGuard }],
      controllers: [HttpController],
    }),
  ));
}

describe('commandOf', () => {
  it('gives the command to guards, interceptors and filters', async () => {
    const app = await start();
    const ann = await app.client('/', { user: 'ann' });
    await ann.join('talk:1');
    const { error } = await ann.request('talk.fail', {}, { room: 'talk:1' });
    expect(error).toMatchObject({ code: 'rejected', message: 'refused ann' });
    expect(seen).toEqual([
      'join guard: $join of ann in talk:1',
      'guard: talk.fail of ann in talk:1',
      'interceptor: talk.fail of ann in talk:1',
      'filter: talk.fail of ann in talk:1',
    ]);
  });

  it('lets the guard of a room type refuse by the room, and a guard of a handler by the command', async () => {
    const app = await start();
    const ann = await app.client('/', { user: 'ann' });
    const refused = await ann.request('$join', {}, { room: 'talk:private' });
    expect(refused.error).toMatchObject({ code: 'forbidden' });
    await ann.join('talk:closed');
    expect((await ann.request('talk.fail', {}, { room: 'talk:closed' })).error).toMatchObject({
      code: 'forbidden',
    });
  });

  it('gives undefined for HTTP requests and messages of gateways', async () => {
    const app = await start();
    const client = await app.client('/native');
    client.send({ event: 'native.say', data: {} });
    await client.event('said');
    const response = await fetch(`http://127.0.0.1:${app.port}/http`);
    expect(await response.text()).toBe('read');
    expect(seen).toEqual(['guard: none', 'guard: none', 'guard: none']);
  });
});

describe('GatewayErrorFilter beyond HTTP', () => {
  it('leaves the answer of a command to the router', async () => {
    const app = await start();
    const ann = await app.client('/', { user: 'ann' });
    await ann.join('talk:1');
    const { error } = await ann.request('talk.gone', {}, { room: 'talk:1' });
    expect(error).toEqual({
      code: 'not_found',
      message: 'no such word',
      details: [{ path: 'word' }],
      retry: false,
    });
  });

  it('sends the error as an exception event where a gateway of Nest failed', async () => {
    const app = await start();
    const client = await app.client('/native');
    client.send({ event: 'native.gone', data: {} });
    expect(await client.next()).toMatchObject({
      event: 'exception',
      data: { code: 'not_found', message: 'no such word', details: [{ path: 'word' }], retry: false },
    });
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { eventually, type TestClient } from '@wss/testing';
import type { Observable } from 'rxjs';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { before, deferred, type Deferred, EchoGateway, NativeApp } from './native-app.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

const exception = (message: string, pattern: string, data: unknown): object => ({
  event: 'exception',
  data: { status: 'error', message, cause: { pattern, data } },
});

async function connectedTo(...gateways: (new () => object)[]): Promise<TestClient> {
  native = await NativeApp.start({ providers: [...gateways, EchoGateway] });
  return native.client();
}

describe('a frame that no handler is for', () => {
  it.each([
    ['text that is no JSON', '{"event"'],
    ['an empty text', ''],
    ['null', 'null'],
    ['a number', '17'],
    ['a string', '"echo"'],
    ['an array', '["echo", 1]'],
    ['an object without event', '{"data":1}'],
    ['an unknown event', '{"event":"nope","data":{"password":"hunter2"}}'],
    ['an event named __proto__', '{"event":"__proto__"}'],
    ['an event named constructor', '{"event":"constructor"}'],
    ['an event named toString', '{"event":"toString"}'],
    ['a prototype that names an event', '{"__proto__":{"event":"echo"}}'],
    ['binary garbage', Buffer.from([0xff, 0x00, 0x80])],
  ])('is dropped as in Nest, and logged as no error: %s', async (_what, frame) => {
    const logs = captureLogs();
    const client = await connectedTo();
    client.sendRaw(frame);
    expect(await before(client)).toEqual([]);
    expect(logs.error).toEqual([]);
  });

  it('may be bytes that are JSON, as in Nest', async () => {
    const client = await connectedTo();
    client.sendRaw(Buffer.from('{"event":"echo","data":7}'));
    expect(await client.next()).toEqual({ event: 'echo', data: 7 });
  });

  it('takes a key named __proto__ to a handler as a key, not as a prototype', async () => {
    @WebSocketGateway()
    class KeysGateway {
      @SubscribeMessage('keys')
      keys(@MessageBody() data: Record<string, unknown>): object {
        return { event: 'keys', data: [Object.keys(data), data.polluted ?? null] };
      }
    }
    const client = await connectedTo(KeysGateway);
    client.sendRaw('{"event":"keys","data":{"a":1,"__proto__":{"polluted":true}}}');
    expect(await client.next()).toEqual({ event: 'keys', data: [['a', '__proto__'], null] });
  });
});

describe('a parser of the application', () => {
  const parse = (bytes: unknown): unknown => {
    const text = String(bytes);
    if (text === 'silence') return undefined;
    if (text === 'bug') throw new Error('the parser has a bug');
    const [event, data] = JSON.parse(text) as [string, unknown];
    return { event, data };
  };

  async function client(): Promise<TestClient> {
    native = await NativeApp.start({ providers: [EchoGateway], adapter: { messageParser: parse } });
    return native.client();
  }

  const toTheEnd = async (from: TestClient): Promise<unknown[]> => {
    from.sendRaw('["echo", "end"]');
    return from.until(({ data }) => data === 'end');
  };

  it('is given to the constructor', async () => {
    const custom = await client();
    custom.sendRaw('["echo", {"a": 1}]');
    expect(await custom.next()).toEqual({ event: 'echo', data: { a: 1 } });
  });

  it('is set later, for open sockets too', async () => {
    native = await NativeApp.start({ providers: [EchoGateway] });
    const open = await native.client();
    expect(await before(open)).toEqual([]);
    native.adapter.setMessageParser(parse);
    for (const each of [open, await native.client()]) {
      each.sendRaw('["echo", 1]');
      expect(await each.next()).toEqual({ event: 'echo', data: 1 });
    }
  });

  it('drops a frame by returning nothing', async () => {
    const logs = captureLogs();
    const custom = await client();
    custom.sendRaw('silence');
    expect(await toTheEnd(custom)).toEqual([]);
    expect(logs.error).toEqual([]);
  });

  it('that throws is logged once, and the frame is dropped', async () => {
    const logs = captureLogs();
    const custom = await client();
    custom.sendRaw('bug');
    expect(await toTheEnd(custom)).toEqual([]);
    expect(logs.error).toEqual([expect.stringContaining('the parser has a bug')]);
  });

  it('may make events that are no strings', async () => {
    @WebSocketGateway()
    class NumberGateway {
      @SubscribeMessage(7)
      seven(@MessageBody() data: unknown): object {
        return { event: 'seven', data };
      }
    }
    native = await NativeApp.start({ providers: [NumberGateway], adapter: { messageParser: parse } });
    const custom = await native.client();
    custom.sendRaw('[7, "x"]');
    expect(await custom.next()).toEqual({ event: 'seven', data: 'x' });
  });
});

describe('what a client breaks', () => {
  it('is measured by the limit of the gateway, if it has one', async () => {
    @WebSocketGateway({ path: '/small', maxPayload: 40 })
    class SmallGateway {
      @SubscribeMessage('small')
      small(@MessageBody() data: unknown): object {
        return { event: 'small', data };
      }
    }
    native = await NativeApp.start({ providers: [SmallGateway, EchoGateway] });
    const [small, echo] = [await native.client('/small'), await native.client()];
    small.send({ event: 'small', data: 'x' });
    expect(await small.next()).toEqual({ event: 'small', data: 'x' });
    const data = 'x'.repeat(40);
    small.send({ event: 'small', data });
    echo.send({ event: 'echo', data });
    expect((await small.closed).code).toBe(1009);
    expect(await echo.next()).toEqual({ event: 'echo', data });
  });

  it('by invalid UTF-8 costs its connection, and is logged as no error', async () => {
    const logs = captureLogs();
    const client = await connectedTo();
    client.socket.send(Buffer.from([0xc3, 0x28]), { binary: false });
    expect((await client.closed).code).toBe(1007);
    expect(logs.error).toEqual([]);
  });

  it('by nesting deeper than JSON can be written costs one answer', async () => {
    captureLogs();
    const client = await connectedTo();
    const depth = 30_000;
    client.sendRaw(`{"event":"echo","data":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(await client.next()).toMatchObject({ event: expect.stringMatching(/^(echo|exception)$/) });
    expect(await before(client)).toEqual([]);
  });

  it('is echoed on a compressed connection, too, as in Nest', async () => {
    @WebSocketGateway({ path: '/zip', perMessageDeflate: { threshold: 0 } })
    class ZipGateway {
      @SubscribeMessage('fail')
      fail(): void {
        throw new WsException('test');
      }
    }
    native = await NativeApp.start({ providers: [ZipGateway] });
    const client = await native.client('/zip', { ws: { perMessageDeflate: true } });
    expect(client.socket.extensions).toContain('permessage-deflate');
    client.send({ event: 'fail', data: { password: 'hunter2' } });
    expect(await client.next()).toEqual(exception('test', 'fail', { password: 'hunter2' }));
  });
});

describe('the messages of one client', () => {
  const gates: Record<string, Deferred> = {};
  const started: string[] = [];

  @WebSocketGateway()
  class GatedGateway {
    @SubscribeMessage('gated')
    async gated(@MessageBody() name: string): Promise<object> {
      started.push(name);
      await (gates[name] = deferred()).promise;
      return { event: 'gated', data: name };
    }
  }

  it('overlap, and are started in order', async () => {
    const client = await connectedTo(GatedGateway);
    for (const name of ['a', 'b', 'c']) client.send({ event: 'gated', data: name });
    await eventually(() => expect(started).toEqual(['a', 'b', 'c']));
    for (const name of ['c', 'a', 'b']) {
      gates[name]!.resolve();
      expect(await client.next()).toEqual({ event: 'gated', data: name });
    }
  });

  it('do not end with one that fails, whatever way', async () => {
    captureLogs();
    @WebSocketGateway()
    class FailingGateway {
      @SubscribeMessage('throw')
      throw(): void {
        throw new Error('sync');
      }

      @SubscribeMessage('reject')
      async reject(): Promise<void> {
        await Promise.reject(new Error('async'));
      }

      @SubscribeMessage('undefined')
      undefined(): never {
        throw undefined as unknown as Error;
      }

      @SubscribeMessage('toJSON')
      toJSON(): object {
        return { toJSON: () => this.throw() };
      }

      @SubscribeMessage('circle')
      circle(): object {
        const circle: { self?: object } = {};
        return Object.assign(circle, { self: circle });
      }
    }
    const client = await connectedTo(FailingGateway);
    for (const event of ['throw', 'reject', 'undefined', 'toJSON', 'circle']) {
      client.send({ event });
      expect(await client.next()).toMatchObject({ event: 'exception' });
      client.send({ event: 'nope' });
      client.sendRaw('garbage');
    }
    expect(await before(client)).toEqual([]);
  });
});

describe('enhancers of the whole application', () => {
  const seen: string[] = [];

  @Injectable()
  class SeeingGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      seen.push(`guard ${context.getType()} ${context.switchToWs().getPattern()}`);
      return context.switchToWs().getData<unknown>() !== 'forbidden';
    }
  }

  @Injectable()
  class SeeingPipe implements PipeTransform {
    transform(value: unknown): unknown {
      seen.push('pipe');
      return value;
    }
  }

  @Injectable()
  class SeeingInterceptor implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      seen.push('interceptor');
      return next.handle();
    }
  }

  @WebSocketGateway()
  class PlainGateway {
    @SubscribeMessage('plain')
    plain(@MessageBody() data: unknown): object {
      return { event: 'plain', data };
    }
  }

  it.each([
    [
      'as providers',
      {
        providers: [
          { provide: APP_GUARD, useClass: SeeingGuard },
          { provide: APP_PIPE, useClass: SeeingPipe },
          { provide: APP_INTERCEPTOR, useClass: SeeingInterceptor },
          PlainGateway,
        ],
      },
    ],
    [
      'by the application',
      {
        providers: [PlainGateway],
        configure: (app: NativeApp['app']) => {
          app.useGlobalGuards(new SeeingGuard());
          app.useGlobalPipes(new SeeingPipe());
          app.useGlobalInterceptors(new SeeingInterceptor());
        },
      },
    ],
  ])('run on native handlers when they are given %s', async (_how, options) => {
    seen.length = 0;
    native = await NativeApp.start(options);
    const client = await native.client();
    client.send({ event: 'plain', data: 1 });
    expect(await client.next()).toEqual({ event: 'plain', data: 1 });
    expect(seen).toEqual(['guard ws plain', 'interceptor', 'pipe']);
    client.send({ event: 'plain', data: 'forbidden' });
    expect(await client.next()).toEqual(exception('Forbidden resource', 'plain', 'forbidden'));
  });
});

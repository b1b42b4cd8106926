import { afterEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import {
  type ArgumentMetadata,
  Catch,
  type ArgumentsHost,
  type ExceptionFilter,
  Injectable,
  type PipeTransform,
  UseFilters,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import {
  BaseWsExceptionFilter,
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import { eventually } from '@wss/testing';
import { IsString } from 'class-validator';
import { from, map, Observable, of, throwError, concat } from 'rxjs';
import type { WebSocket, WebSocketServer as Server } from 'ws';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { before, deferred, EchoGateway, frames, NativeApp } from './native-app.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

describe('what a handler of a gateway returns', () => {
  const streaming = deferred();
  const cancelled = deferred();
  const answered = deferred();

  @WebSocketGateway()
  class ReturningGateway {
    @SubscribeMessage('value')
    value(@ConnectedSocket() _client: WebSocket, @MessageBody() data: unknown): object {
      return { event: 'value', data };
    }

    @SubscribeMessage('plain')
    plain(_client: WebSocket, data: unknown): unknown {
      return data;
    }

    @SubscribeMessage('field')
    field(@MessageBody('name') name: string): string {
      return name;
    }

    @SubscribeMessage('promise')
    promise(@MessageBody() data: unknown): Promise<object> {
      return Promise.resolve({ event: 'promise', data });
    }

    @SubscribeMessage('stream')
    stream(): Observable<object> {
      return from([1, 2, 3]).pipe(map((data) => ({ event: 'stream', data })));
    }

    @SubscribeMessage('promised-stream')
    promisedStream(): Promise<Observable<number>> {
      return Promise.resolve(of(4, 5));
    }

    @SubscribeMessage('nothing')
    nothing(): undefined {
      return undefined;
    }

    @SubscribeMessage('null')
    null(): null {
      return null;
    }

    @SubscribeMessage('null-stream')
    nullStream(): Observable<number | null> {
      return of(null, 6, null);
    }

    @SubscribeMessage('zero')
    zero(): number {
      return 0;
    }

    @SubscribeMessage('endless')
    endless(): Observable<string> {
      return new Observable((subscriber) => {
        subscriber.next('first');
        streaming.resolve();
        return () => cancelled.resolve();
      });
    }

    @SubscribeMessage('late')
    async late(): Promise<Observable<string>> {
      await answered.promise;
      return new Observable(() => {
        throw new Error('subscribed for a client that has gone');
      });
    }
  }

  async function answersTo(frame: object, count = 1): Promise<unknown[]> {
    native = await NativeApp.start({ providers: [ReturningGateway, EchoGateway] });
    const client = await native.client();
    client.send(frame);
    return frames(client, count);
  }

  it('reaches the client as one frame', async () => {
    expect(await answersTo({ event: 'value', data: { a: [1] } })).toEqual([
      { event: 'value', data: { a: [1] } },
    ]);
  });

  it('needs no event of its own', async () => {
    expect(await answersTo({ event: 'plain', data: { b: 2 } })).toEqual([{ b: 2 }]);
  });

  it('may be made of one property of the data', async () => {
    expect(await answersTo({ event: 'field', data: { name: 'ann' } })).toEqual([{ malformed: '"ann"' }]);
  });

  it('may be a promise', async () => {
    expect(await answersTo({ event: 'promise', data: 'x' })).toEqual([{ event: 'promise', data: 'x' }]);
  });

  it('may be an Observable, of which each value is sent', async () => {
    expect(await answersTo({ event: 'stream' }, 3)).toEqual(
      [1, 2, 3].map((data) => ({ event: 'stream', data })),
    );
  });

  it('may be a promise of an Observable', async () => {
    expect(await answersTo({ event: 'promised-stream' }, 2)).toEqual([
      { malformed: '4' },
      { malformed: '5' },
    ]);
  });

  it.each(['nothing', 'null'])('is not sent when it is %s', async (event) => {
    expect(await answersTo({ event }, 0)).toEqual([]);
  });

  it('leaves out what is null in an Observable', async () => {
    expect(await answersTo({ event: 'null-stream' })).toEqual([{ malformed: '6' }]);
  });

  it('is sent when it is 0', async () => {
    expect(await answersTo({ event: 'zero' })).toEqual([{ malformed: '0' }]);
  });

  it('is cancelled when the client goes', async () => {
    native = await NativeApp.start({ providers: [ReturningGateway] });
    const client = await native.client();
    client.send({ event: 'endless' });
    await streaming.promise;
    await client.terminate();
    await cancelled.promise;
  });

  it('is not waited for when the client has gone before it came', async () => {
    const logs = captureLogs();
    native = await NativeApp.start({ providers: [ReturningGateway, EchoGateway] });
    const [client, other] = [await native.client(), await native.client()];
    client.send({ event: 'late' });
    await before(client);
    await client.close();
    answered.resolve();
    await before(other);
    expect(logs.error).toEqual([]);
  });
});

describe('an error of a gateway', () => {
  class Named {
    @IsString()
    name!: string;
  }

  @Injectable()
  class RefusingPipe implements PipeTransform {
    transform(_value: unknown, _metadata: ArgumentMetadata): never {
      throw new WsException('refused by the pipe');
    }
  }

  @Catch(RangeError)
  class RethrowingFilter implements ExceptionFilter {
    catch(error: unknown): void {
      throw error;
    }
  }

  @Catch(SyntaxError)
  class TellingFilter extends BaseWsExceptionFilter {
    override catch(_error: unknown, host: ArgumentsHost): void {
      super.catch(new WsException(`told of ${host.switchToWs().getPattern()}`), host);
    }
  }

  @WebSocketGateway()
  @UseFilters(RethrowingFilter, TellingFilter)
  class FailingGateway {
    @SubscribeMessage('ws')
    ws(): void {
      throw new WsException('test');
    }

    @SubscribeMessage('object')
    object(): void {
      throw new WsException({ code: 17, why: 'so' });
    }

    @SubscribeMessage('bug')
    async bug(): Promise<void> {
      await Promise.reject(new Error('secret'));
    }

    @SubscribeMessage('stream')
    stream(): Observable<number> {
      return concat(
        of(1),
        throwError(() => new WsException('mid-stream')),
      );
    }

    @SubscribeMessage('rethrown')
    rethrown(): void {
      throw new RangeError('rethrown');
    }

    @SubscribeMessage('rethrown-stream')
    rethrownStream(): Observable<number> {
      return throwError(() => new RangeError('rethrown from a stream'));
    }

    @SubscribeMessage('told')
    told(): void {
      throw new SyntaxError('x');
    }

    @SubscribeMessage('piped')
    piped(@MessageBody(RefusingPipe) data: unknown): unknown {
      return data;
    }

    @SubscribeMessage('validated')
    @UsePipes(
      new ValidationPipe({
        exceptionFactory: (errors) => new WsException(Object.keys(errors[0]!.constraints!)),
      }),
    )
    validated(@MessageBody() { name }: Named): object {
      return { event: 'validated', data: name };
    }

    @SubscribeMessage('strict')
    @UsePipes(new ValidationPipe())
    strict(@MessageBody() { name }: Named): object {
      return { event: 'strict', data: name };
    }

    @SubscribeMessage('bigint')
    bigint(): Observable<unknown> {
      return of({ event: 'n', data: 1 }, { event: 'n', data: 2n }, { event: 'n', data: 3 });
    }
  }

  const exception = (message: string, pattern: string, data?: unknown): object => ({
    event: 'exception',
    data: { status: 'error', message, cause: { pattern, ...(data !== undefined && { data }) } },
  });

  async function answersTo(frame: object, count = 1): Promise<unknown[]> {
    native = await NativeApp.start({ providers: [FailingGateway, EchoGateway] });
    const client = await native.client();
    client.send(frame);
    return frames(client, count);
  }

  it('names status, message, pattern and data, as in Nest', async () => {
    expect(await answersTo({ event: 'ws', data: { password: 'hunter2' } })).toEqual([
      exception('test', 'ws', { password: 'hunter2' }),
    ]);
  });

  it('that holds an object is sent as this object', async () => {
    expect(await answersTo({ event: 'object', data: 'x' })).toEqual([
      { event: 'exception', data: { code: 17, why: 'so' } },
    ]);
  });

  it('that nobody expected hides its text and is logged once', async () => {
    const logs = captureLogs();
    expect(await answersTo({ event: 'bug', data: { password: 'hunter2' } })).toEqual([
      exception('Internal server error', 'bug', { password: 'hunter2' }),
    ]);
    expect(logs.error).toEqual([expect.stringContaining('secret')]);
    expect(logs.error.join()).not.toContain('hunter2');
  });

  it('in an Observable comes after the values before it', async () => {
    expect(await answersTo({ event: 'stream' }, 2)).toEqual([
      { malformed: '1' },
      exception('mid-stream', 'stream'),
    ]);
  });

  it.each(['rethrown', 'rethrown-stream'])('that a filter throws again (%s) is logged', async (event) => {
    const logs = captureLogs();
    expect(await answersTo({ event }, 0)).toEqual([]);
    expect(logs.error).toEqual([expect.stringContaining('rethrown')]);
  });

  it('reaches a filter that knows the pattern', async () => {
    expect(await answersTo({ event: 'told', data: 1 })).toEqual([exception('told of told', 'told', 1)]);
  });

  it('comes from a pipe', async () => {
    expect(await answersTo({ event: 'piped', data: 'x' })).toEqual([
      exception('refused by the pipe', 'piped', 'x'),
    ]);
  });

  it('comes from a validation pipe, as its factory says', async () => {
    expect(await answersTo({ event: 'validated', data: { name: 5 } })).toEqual([
      { event: 'exception', data: ['isString'] },
    ]);
  });

  it('is an internal one, unlogged, for the HTTP exception of a plain validation pipe', async () => {
    const logs = captureLogs();
    expect(await answersTo({ event: 'strict', data: { name: 5 } })).toEqual([
      exception('Internal server error', 'strict', { name: 5 }),
    ]);
    expect(logs.error).toEqual([]);
  });

  it('does not come when the data is valid', async () => {
    expect(await answersTo({ event: 'strict', data: { name: 'ann' } })).toEqual([
      { event: 'strict', data: 'ann' },
    ]);
  });

  it('in a value that JSON can not hold costs this value only', async () => {
    const logs = captureLogs();
    expect(await answersTo({ event: 'bigint' }, 3)).toEqual([
      { event: 'n', data: 1 },
      exception('Internal server error', 'bigint'),
      { event: 'n', data: 3 },
    ]);
    expect(logs.error).toEqual([expect.stringContaining('BigInt')]);
  });
});

describe('hooks of a gateway', () => {
  const calls: unknown[][] = [];

  function hookedGateway(name: string): new () => object {
    @WebSocketGateway({ path: '/hooks' })
    class HookedGateway implements OnGatewayInit, OnGatewayConnection {
      @WebSocketServer()
      server!: Server & { path: string };

      afterInit(server: Server): void {
        calls.push([name, 'init', server === this.server, this.server.path]);
      }

      handleConnection(client: WebSocket, request: IncomingMessage): void {
        calls.push([
          name,
          'connect',
          this.server.clients.has(client),
          request.url,
          request.headers['x-from'],
        ]);
        client.send(JSON.stringify({ event: 'welcome', data: name }));
      }

      handleDisconnect(client: WebSocket, code: number): void {
        calls.push([name, 'disconnect', this.server.clients.has(client), code]);
      }
    }
    return HookedGateway;
  }

  it('run once per gateway, in order, with what Nest promises', async () => {
    const providers = [hookedGateway('a'), hookedGateway('b')];
    native = await NativeApp.start({ providers });
    const client = await native.client('/hooks?x=1', { headers: { 'x-from': 'test' } });
    const welcomes = [await client.next(), await client.next()];
    await client.close(4123);
    await eventually(() => expect(calls).toHaveLength(6));
    expect(calls.map(([, hook]) => hook)).toEqual(
      ['init', 'connect', 'disconnect'].flatMap((hook) => [hook, hook]),
    );
    for (const name of ['a', 'b']) {
      expect(welcomes).toContainEqual({ event: 'welcome', data: name });
      expect(calls.filter(([gateway]) => gateway === name)).toEqual([
        [name, 'init', true, '/hooks'],
        [name, 'connect', true, '/hooks?x=1', 'test'],
        [name, 'disconnect', false, 4123],
      ]);
    }
  });

  it('tell an abrupt end with 1006', async () => {
    const codes: number[] = [];
    @WebSocketGateway()
    class CodeGateway {
      handleDisconnect(_client: WebSocket, code: number): void {
        codes.push(code);
      }
    }
    native = await NativeApp.start({ providers: [CodeGateway] });
    await (await native.client()).terminate();
    await eventually(() => expect(codes).toEqual([1006]));
  });
});

describe('the socket that a gateway gets', () => {
  @WebSocketGateway()
  class OwningGateway implements OnGatewayConnection {
    @WebSocketServer()
    server!: Server;

    handleConnection(client: WebSocket): void {
      Object.assign(client, { id: 'mine', user: { name: 'ann' }, session: 1, context: 2, isAlive: true });
    }

    @SubscribeMessage('own')
    own(@ConnectedSocket() client: WebSocket & Record<string, unknown>): object {
      const { id, user, session, context } = client;
      return { event: 'own', data: { id, user, session, context } };
    }

    @SubscribeMessage('all')
    all(@MessageBody() data: string): void {
      for (const client of this.server.clients) client.send(data);
    }

    @SubscribeMessage('mixed')
    mixed(@ConnectedSocket() client: WebSocket): object {
      client.send('"one"');
      client.send(Buffer.from([2]));
      client.send('"three"', () => client.send('"four"'));
      return { event: 'five' };
    }

    @SubscribeMessage('bye')
    bye(@ConnectedSocket() client: WebSocket): void {
      client.send('"last words"');
      client.close(4001, 'bye');
    }
  }

  it('keeps what the gateway writes on it', async () => {
    native = await NativeApp.start({ providers: [OwningGateway] });
    const client = await native.client();
    client.send({ event: 'own' });
    expect(await client.next()).toEqual({
      event: 'own',
      data: { id: 'mine', user: { name: 'ann' }, session: 1, context: 2 },
    });
  });

  it('is among the clients of the server, for a broadcast', async () => {
    native = await NativeApp.start({ providers: [OwningGateway] });
    const clients = [await native.client(), await native.client()];
    clients[0]!.send({ event: 'all', data: '{"event":"to all"}' });
    for (const client of clients) expect(await client.next()).toEqual({ event: 'to all' });
  });

  it('keeps the order of texts, bytes and answers', async () => {
    native = await NativeApp.start({ providers: [OwningGateway] });
    const client = await native.client();
    client.send({ event: 'mixed' });
    const sent = [];
    for (let i = 0; i < 5; i++) sent.push(await client.next());
    expect(sent.slice(0, 3)).toEqual([{ malformed: '"one"' }, { malformed: '02' }, { malformed: '"three"' }]);
    expect(sent.slice(3)).toEqual(expect.arrayContaining([{ malformed: '"four"' }, { event: 'five' }]));
  });

  it('sends what came before its close', async () => {
    native = await NativeApp.start({ providers: [OwningGateway] });
    const client = await native.client();
    client.send({ event: 'bye' });
    expect(await client.next()).toEqual({ malformed: '"last words"' });
    expect(await client.closed).toEqual({ code: 4001, reason: 'bye' });
  });
});

describe('several gateways on one path', () => {
  function answering(name: string): new () => object {
    @WebSocketGateway()
    class AnsweringGateway {
      @SubscribeMessage('who')
      who(): object {
        return { event: 'who', data: name };
      }
    }
    return AnsweringGateway;
  }

  it('all answer an event that they share', async () => {
    native = await NativeApp.start({ providers: [answering('a'), answering('b'), EchoGateway] });
    const client = await native.client();
    client.send({ event: 'who' });
    const answers = await frames(client, 2);
    expect(answers).toHaveLength(2);
    for (const data of ['a', 'b']) expect(answers).toContainEqual({ event: 'who', data });
  });

  it('cost a socket no listeners, however many they are', async () => {
    const listeners: string[][] = [];
    @WebSocketGateway()
    class CountingGateway implements OnGatewayConnection {
      @WebSocketServer()
      server!: Server;

      @SubscribeMessage('count')
      count(@ConnectedSocket() client: WebSocket): void {
        const emitters = [client, this.server];
        listeners.push(
          emitters.flatMap((emitter) =>
            emitter.eventNames().map((name) => `${String(name)} ${emitter.listenerCount(name)}`),
          ),
        );
      }

      handleConnection(): void {}
    }
    for (const gateways of [0, 11]) {
      const others = Array.from({ length: gateways }, (_, index) => answering(String(index)));
      native = await NativeApp.start({ providers: [CountingGateway, ...others, EchoGateway] });
      const client = await native.client();
      client.send({ event: 'count' });
      await before(client);
      await native.stop();
    }
    expect(listeners[1]).toEqual(listeners[0]);
  });

  it('get each frame parsed once', async () => {
    let parsed = 0;
    const messageParser = (data: unknown): unknown => {
      parsed++;
      return JSON.parse(String(data));
    };
    const gateways = Array.from({ length: 12 }, (_, index) => answering(String(index)));
    native = await NativeApp.start({ providers: [...gateways, EchoGateway], adapter: { messageParser } });
    const client = await native.client();
    client.send({ event: 'who' });
    client.send({ event: 'unknown' });
    expect(await frames(client, 12)).toHaveLength(12);
    expect(parsed).toBe(3);
  });
});

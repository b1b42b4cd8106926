import { describe, it } from '@jest/globals';
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
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
import { freePort } from '@wss/testing';
import { concat, from, map, type Observable, of, throwError } from 'rxjs';
import { type RawData, WebSocket, type WebSocketServer as Server } from 'ws';
import { rawRequest, upgradeRequest } from '../../raw-request.js';
import { SOCKET_FIELDS } from '../native-app.js';
import { agrees } from './agrees.js';
import type { Stage } from './stage.js';

@WebSocketGateway()
class MarkGateway {
  @SubscribeMessage('mark')
  mark(@MessageBody() data: unknown): object {
    return { event: 'mark', data };
  }
}

describe('an existing gateway sees and sends under this adapter what it does under that of Nest', () => {
  it('a chat', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/chat', cors: true })
        class ChatGateway implements OnGatewayConnection, OnGatewayInit {
          @WebSocketServer()
          server!: Server;
          private readonly names = new Map<WebSocket, string>();

          afterInit(server: Server): void {
            note(`init ${server === this.server}`);
          }

          handleConnection(client: WebSocket & { user?: object }, request: IncomingMessage): void {
            const name = new URL(request.url!, 'ws://x').searchParams.get('name')!;
            client.user = { name };
            this.names.set(client, name);
            this.broadcast({ event: 'joined', data: name });
          }

          handleDisconnect(client: WebSocket, code: number): void {
            note(`left ${this.names.get(client)} ${code}`);
            this.names.delete(client);
            this.broadcast({ event: 'left', data: code });
          }

          @SubscribeMessage('say')
          say(
            @ConnectedSocket() client: WebSocket & { user: { name: string } },
            @MessageBody() text: string,
          ): void {
            this.broadcast({ event: 'said', data: [client.user.name, text] });
          }

          @SubscribeMessage('who')
          who(): object {
            return { event: 'who', data: [...this.names.values()] };
          }

          private broadcast(frame: object): void {
            for (const client of this.server.clients) {
              if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(frame));
            }
          }
        }
        return { providers: [ChatGateway] };
      },
      async play(stage) {
        const ann = await stage.client('/chat?name=ann');
        await ann.got(1);
        const bob = await stage.client('/chat?name=bob');
        await bob.got(1);
        await ann.got(2);
        ann.emit('say', 'hello');
        await Promise.all([ann.got(3), bob.got(2)]);
        bob.emit('who');
        await bob.got(3);
        await bob.close(4001, 'bye');
        await ann.got(4);
      },
    }));

  it('a relay of binary documents', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/collaboration' })
        class RelayGateway implements OnGatewayConnection {
          private readonly documents = new Map<string, Set<WebSocket>>();

          handleConnection(client: WebSocket, request: IncomingMessage): void {
            client.binaryType = 'arraybuffer';
            const members = this.membersOf(request.url!);
            members.add(client);
            client.send(Buffer.from([0, 0, members.size]));
            client.on('message', (data: ArrayBuffer, isBinary: boolean) => {
              note(`${data instanceof ArrayBuffer} ${isBinary}`);
              for (const member of members) if (member !== client) member.send(new Uint8Array(data));
            });
            client.on('close', () => members.delete(client));
          }

          private membersOf(name: string): Set<WebSocket> {
            if (!this.documents.has(name)) this.documents.set(name, new Set());
            return this.documents.get(name)!;
          }
        }
        return { providers: [RelayGateway] };
      },
      async play(stage) {
        const [a, b] = [
          await stage.client('/collaboration?doc=1'),
          await stage.client('/collaboration?doc=1'),
        ];
        await Promise.all([a.got(1), b.got(1)]);
        a.send(Buffer.from([1, 2, 3]));
        await b.got(2);
        b.send(Buffer.from('{"event":"x"}'));
        b.send(Buffer.alloc(0));
        await a.got(3);
        a.send(Buffer.alloc(200_000, 7));
        await b.got(3);
      },
    }));

  it('a whiteboard that has a protocol of its own beside handlers', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/board' })
        class BoardGateway implements OnGatewayConnection {
          @WebSocketServer()
          server!: Server;

          handleConnection(client: WebSocket): void {
            client.on('message', (data: RawData, isBinary) => {
              const text = String(data);
              note(`raw ${isBinary} ${text}`);
              if (text.startsWith('{"type"')) client.send(text.replace('type', 'did'));
            });
          }

          @SubscribeMessage('clear')
          clear(@MessageBody() data: unknown): object {
            note('clear');
            return { event: 'cleared', data };
          }
        }
        return { providers: [BoardGateway] };
      },
      async play(stage) {
        const client = await stage.client('/board');
        client.send('{"type":"draw","x":1}');
        client.emit('clear', [1]);
        client.send('not JSON');
        client.emit('nobody knows this');
        client.send(Buffer.from([1, 2]));
        client.emit('clear', [2]);
        await client.got(3);
      },
    }));

  it(
    'a market feed that streams from an arrow function until it is told to stop',
    () =>
      agrees({
        gateways: (note) => {
          @WebSocketGateway({ path: '/feed' })
          class FeedGateway {
            private stop!: () => void;

            handleConnection = async (client: WebSocket): Promise<void> => {
              const stopped = new Promise<void>((resolve) => (this.stop = resolve));
              for await (const price of [1, 2, 3]) client.send(JSON.stringify({ event: 'tick', price }));
              await stopped;
              client.send('"the feed is over"');
            };

            handleDisconnect = (_client: WebSocket, code: number): void => note(`gone ${code}`);

            @SubscribeMessage('subscribe')
            subscribe(@MessageBody() symbol: string): object {
              return { event: 'subscribed', data: symbol };
            }

            @SubscribeMessage('stop')
            stopFeed(): void {
              this.stop();
            }
          }
          return { providers: [FeedGateway] };
        },
        async play(stage) {
          const client = await stage.client('/feed');
          await client.got(3);
          client.emit('subscribe', 'ABC');
          await client.got(4);
          client.emit('stop');
          await client.got(5);
          await client.close(1000);
          await stage.noted(1);
        },
      }),
    120_000,
  );

  it('a feed whose hook never ends, and whose client goes', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class EndlessGateway {
          handleConnection(client: WebSocket): Promise<void> {
            client.send('"first"');
            client.on('message', (data: RawData) => client.send(`"raw ${String(data).length}"`));
            return new Promise(() => undefined);
          }

          handleDisconnect(_client: WebSocket, code: number): void {
            note(`gone ${code}`);
          }
        }
        return { providers: [EndlessGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        await client.got(1);
        client.emit('nobody');
        await client.got(2);
        await client.close(4002);
        await stage.noted(1);
      },
    }));

  it('a message board that reads each message by itself', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/messages' })
        class MessagesGateway implements OnGatewayConnection {
          @WebSocketServer()
          server!: Server;

          async handleConnection(client: WebSocket): Promise<void> {
            client.on('message', (data: RawData) => this.onMessage(client, String(data)));
            client.on('pong', () => note('pong'));
            client.once('close', (code: number, reason: Buffer) => note(`close ${code} ${String(reason)}`));
            await Promise.resolve();
            client.send('ready');
          }

          private onMessage(client: WebSocket, text: string): void {
            try {
              const { post } = JSON.parse(text) as { post: string };
              this.server.clients.forEach((each) => each.send(JSON.stringify({ posted: post })));
            } catch {
              client.send('{"error":"not JSON"}');
            }
          }
        }
        return { providers: [MessagesGateway] };
      },
      async play(stage) {
        const client = await stage.client('/messages');
        await client.got(1);
        for (const text of ['{"post":"a"}', 'garbage', '', '{"post":"b"}']) client.send(text);
        await client.got(5);
        client.socket.ping('are you there');
        client.send('{"post":"c"}');
        await client.got(7);
        await client.close(4003, 'enough');
        await stage.noted(1);
      },
    }));

  it('tickers', () =>
    agrees({
      gateways: () => {
        @WebSocketGateway({ path: '/ticker' })
        class TickerGateway {
          handleConnection(client: WebSocket): void {
            let tick = 0;
            const next = (): void => {
              if (client.readyState !== WebSocket.OPEN) return;
              client.send(JSON.stringify({ tick: ++tick }));
              if (tick < 5) setImmediate(next);
            };
            setImmediate(next);
          }

          @SubscribeMessage('from')
          from(@MessageBody('first') first: number): Observable<object> {
            return from([first, first + 1]).pipe(map((data) => ({ event: 'value', data })));
          }
        }
        return { providers: [TickerGateway] };
      },
      async play(stage) {
        const client = await stage.client('/ticker');
        await client.got(5);
        client.emit('from', { first: 7 });
        await client.got(7);
      },
    }));
});

describe('a message has under this adapter the answers that it has under that of Nest', () => {
  it.each([
    ['text that is no JSON', '{"event"'],
    ['an empty text', ''],
    ['null', 'null'],
    ['a number', '17'],
    ['a string', '"mark"'],
    ['an array', '["mark",1]'],
    ['an object without event', '{"data":1}'],
    ['an unknown event', '{"event":"nope","data":{"a":1}}'],
    ['an event named __proto__', '{"event":"__proto__"}'],
    ['an event that is not a string', '{"event":{"a":1}}'],
    ['a prototype that names an event', '{"__proto__":{"event":"mark"}}'],
    ['data with a key named __proto__', '{"event":"keys","data":{"a":1,"__proto__":{"b":2}}}'],
    ['bytes that are no JSON', Buffer.from([0xff, 0, 0x80])],
    ['bytes that are JSON', Buffer.from('{"event":"mark","data":1}')],
    ['no bytes', Buffer.alloc(0)],
  ])('%s', (_what, frame) =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class KeysGateway {
          @SubscribeMessage('keys')
          keys(@MessageBody() data: object): void {
            note(JSON.stringify(Object.getOwnPropertyNames(data)));
          }
        }
        return { providers: [KeysGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.send(frame);
        client.emit('mark', 'end');
        while (!client.lines.some((line) => line.includes('end'))) await client.got(client.lines.length + 1);
      },
    }),
  );

  it('of any size, in any number of pieces', () =>
    agrees({
      gateways: () => ({ providers: [MarkGateway] }),
      async play(stage) {
        const client = await stage.client();
        client.emit('mark', 'x'.repeat(1_000_000));
        await client.got(1);
        client.socket.send('{"event":"mark",', { fin: false });
        for (let i = 0; i < 3_000; i++) client.socket.send(' ', { fin: false });
        client.socket.send('"data":1}', { fin: true });
        await client.got(2);
      },
    }));

  it('up to the size that the gateway says', () =>
    agrees({
      gateways: () => {
        @WebSocketGateway({ path: '/small', maxPayload: 100 })
        class SmallGateway extends MarkGateway {}
        return { providers: [SmallGateway] };
      },
      async play(stage) {
        const client = await stage.client('/small');
        client.emit('mark', 'x'.repeat(200));
        await client.ended();
      },
    }));

  it('whatever the handler returns', () =>
    agrees({
      gateways: () => {
        const values = [
          0,
          '',
          false,
          null,
          undefined,
          [1],
          { a: 1 },
          () => 1,
          of(1, null, 2),
          NaN,
          Promise.resolve(3),
        ];
        @WebSocketGateway()
        class ValuesGateway {
          @SubscribeMessage('value')
          value(@MessageBody() index: number): unknown {
            return values[index];
          }
        }
        return { providers: [ValuesGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        for (let index = 0; index <= 10; index++) {
          client.emit('value', index);
          client.emit('mark', index);
          while (!client.lines.some((line) => line === `{"event":"mark","data":${index}}`)) {
            await client.got(client.lines.length + 1);
          }
        }
        client.emit('mark', 'end');
        await client.got(client.lines.length + 1);
        // Nest gives the value of a promise later than the next answer.
        client.lines.sort();
      },
    }));

  it('through guards, pipes, interceptors and filters', () =>
    agrees({
      gateways: (note) => {
        @Injectable()
        class PasswordGuard implements CanActivate {
          canActivate(context: ExecutionContext): boolean {
            const ws = context.switchToWs();
            note(`guard ${context.getType()} ${ws.getPattern()} ${JSON.stringify(ws.getData())}`);
            return ws.getData<unknown>() !== 'forbidden';
          }
        }
        @Injectable()
        class WrappingInterceptor implements NestInterceptor {
          intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
            note('before');
            return next.handle().pipe(map((data) => ({ event: 'wrapped', data })));
          }
        }
        @Catch(RangeError)
        class TellingFilter extends BaseWsExceptionFilter {
          override catch(error: Error, host: ArgumentsHost): void {
            super.catch(new WsException(`told: ${error.message}`), host);
          }
        }
        @Catch(SyntaxError)
        class WritingFilter implements ExceptionFilter {
          catch(_error: unknown, host: ArgumentsHost): void {
            const frame = {
              event: 'exception',
              data: { status: 'mine', cause: { data: host.switchToWs().getData() } },
            };
            host.switchToWs().getClient<WebSocket>().send(JSON.stringify(frame));
          }
        }
        @WebSocketGateway()
        @UseGuards(PasswordGuard)
        @UseInterceptors(WrappingInterceptor)
        @UseFilters(new TellingFilter(), new WritingFilter())
        class EnhancedGateway {
          @SubscribeMessage('plain')
          plain(@MessageBody() data: unknown): unknown {
            return data;
          }

          @SubscribeMessage('number')
          number(@MessageBody('n', ParseIntPipe) n: number): unknown {
            return n;
          }

          @SubscribeMessage('fail')
          fail(@MessageBody() how: string): Observable<unknown> {
            if (how === 'ws') throw new WsException('refused');
            if (how === 'object') throw new WsException({ code: 7 });
            if (how === 'range') throw new RangeError('too far');
            if (how === 'syntax') throw new SyntaxError('x');
            if (how === 'bug') throw new Error('secret');
            return concat(
              of('first'),
              throwError(() => new WsException('mid-stream')),
            );
          }
        }
        return { providers: [EnhancedGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        let count = 0;
        const ask = async (event: string, data: unknown, answers = 1): Promise<void> => {
          client.emit(event, data);
          await client.got((count += answers));
        };
        await ask('plain', { password: 'x' });
        await ask('plain', 'forbidden');
        await ask('number', { n: '12' });
        await ask('number', { n: 'many' });
        for (const how of ['ws', 'object', 'range', 'syntax', 'bug']) await ask('fail', how);
        await ask('fail', 'stream', 2);
      },
    }));

  it('from each of several handlers of one event', () =>
    agrees({
      gateways: (note) => {
        const named = (name: string): new () => object => {
          @WebSocketGateway()
          class NamedGateway {
            @SubscribeMessage('who')
            first(): object {
              note(`${name} first`);
              return { event: 'who', data: `${name} first` };
            }

            @SubscribeMessage('who')
            @SubscribeMessage('who')
            second(): object {
              note(`${name} second`);
              return { event: 'who', data: `${name} second` };
            }
          }
          return NamedGateway;
        };
        return { providers: [named('a'), named('b'), named('c'), MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('who');
        await client.got(3);
        client.emit('mark');
        await client.got(4);
        // The order of the gateways is that in which Nest connected them.
        client.lines.sort();
        stage.notes.sort();
      },
    }));

  it('of a request-scoped gateway', () =>
    agrees({
      gateways: () => {
        @Injectable({ scope: Scope.REQUEST })
        @WebSocketGateway()
        class CountingGateway {
          private count = 0;

          @SubscribeMessage('count')
          add(): object {
            return { event: 'count', data: ++this.count };
          }
        }
        return { providers: [CountingGateway] };
      },
      async play(stage) {
        for (const client of [await stage.client(), await stage.client()]) {
          client.emit('count');
          await client.got(1);
          client.emit('count');
          await client.got(2);
        }
      },
    }));

  it('read by a parser of the application, which gets text as text', () =>
    agrees({
      gateways: () => ({ providers: [MarkGateway] }),
      parser: (data) => {
        if (data === 'silence') return undefined;
        return { event: 'mark', data: [typeof data, Buffer.isBuffer(data), String(data)] };
      },
      async play(stage) {
        const client = await stage.client();
        client.send('silence');
        client.send('text');
        await client.got(1);
        client.send(Buffer.from('bytes'));
        await client.got(2);
      },
    }));

  it('the last of which leave before the client goes', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class LeavingGateway {
          @SubscribeMessage('bye')
          bye(@ConnectedSocket() client: WebSocket): object {
            client.send('"last words"', () => note('sent'));
            client.close(4001, 'bye');
            return { event: 'too late' };
          }

          handleDisconnect(_client: WebSocket, code: number): void {
            note(`gone ${code}`);
          }
        }
        return { providers: [LeavingGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('bye');
        await client.ended();
        await stage.noted(2);
      },
    }));
});

describe('the socket of a gateway is under this adapter what it is under that of Nest', () => {
  it('free for fields of any name', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class OwningGateway {
          handleConnection(client: WebSocket): void {
            for (const name of SOCKET_FIELDS) Object.assign(client, { [name]: { of: name } });
          }

          @SubscribeMessage('own')
          own(@ConnectedSocket() client: WebSocket & Record<string, unknown>): object {
            return { event: 'own', data: SOCKET_FIELDS.map((name) => client[name]) };
          }

          handleDisconnect(client: WebSocket & Record<string, unknown>, code: number): void {
            note(`${code} ${JSON.stringify(client.user)}`);
          }
        }
        return { providers: [OwningGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('own');
        await client.got(1);
        client.emit('mark', 1);
        await client.got(2);
        await client.close(4000);
        await stage.noted(1);
      },
    }));

  it('free of fields that Nest does not set', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class LookingGateway {
          handleConnection(client: WebSocket): void {
            note(`${client.constructor.name} ${Object.keys(client).sort().join()}`);
          }
        }
        return { providers: [LookingGateway] };
      },
      play: (stage) => stage.client(),
    }));

  it('open for what the client reads, however much that is', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class BulkGateway {
          @SubscribeMessage('bulk')
          bulk(@ConnectedSocket() client: WebSocket): void {
            for (let i = 0; i < 8; i++) client.send(String(i).repeat(1_000_000));
            note(`buffered ${client.bufferedAmount > 1_000_000}`);
          }
        }
        return { providers: [BulkGateway, MarkGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('bulk');
        await client.got(8);
        client.emit('mark');
        await client.got(9);
      },
    }));

  it('in the order of texts, bytes and answers', () =>
    agrees({
      gateways: () => {
        @WebSocketGateway()
        class MixedGateway {
          @SubscribeMessage('mixed')
          mixed(@ConnectedSocket() client: WebSocket): object {
            client.send('"one"');
            client.send(Buffer.from([2]));
            client.ping();
            client.send('"three"', { compress: false }, () => client.send('"four"'));
            client.send(5 as never);
            return { event: 'answer' };
          }
        }
        return { providers: [MixedGateway] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('mixed');
        await client.got(6);
      },
    }));
});

describe('a server is under this adapter what it is under that of Nest', () => {
  it.each([
    ['a bad key', (target: string) => upgradeRequest(target).replace('dGhlIHNhbXBsZSBub25jZQ==', 'x')],
    ['another version', (target: string) => upgradeRequest(target).replace('Version: 13', 'Version: 7')],
    ['another method', (target: string) => upgradeRequest(target).replace('GET', 'PUT')],
  ])('for a handshake with %s', (_what, request) =>
    agrees({
      gateways: () => ({ providers: [MarkGateway] }),
      async play(stage) {
        stage.notes.push(await rawRequest(stage.port, request('/')));
      },
    }),
  );

  it('with options of its own', () =>
    agrees({
      gateways: (note) => {
        const verifyClient = ({ req }: { req: IncomingMessage }): boolean => req.url !== '/strict?refused';
        @WebSocketGateway({
          path: '/strict',
          verifyClient,
          handleProtocols: () => 'second',
          perMessageDeflate: true,
        })
        class StrictGateway {
          handleConnection(client: WebSocket): void {
            note(`${client.protocol} ${client.extensions}`);
          }
        }
        @WebSocketGateway({
          path: '/later',
          verifyClient: (_info: unknown, done: (isFit: boolean, status: number, text: string) => void) =>
            setImmediate(() => done(false, 402, 'pay')),
        })
        class LaterGateway {}
        return { providers: [StrictGateway, LaterGateway] };
      },
      async play(stage) {
        const client = await stage.client('/strict', { protocols: ['first', 'second'] });
        stage.notes.push(client.socket.protocol);
        stage.notes.push(await rawRequest(stage.port, upgradeRequest('/strict?refused')));
        stage.notes.push(await rawRequest(stage.port, upgradeRequest('/later')));
      },
    }));

  it('for the subprotocol that a client offers first', () =>
    agrees({
      gateways: () => ({ providers: [MarkGateway] }),
      async play(stage) {
        const client = await stage.client('/', { protocols: ['graphql-ws', 'other'] });
        stage.notes.push(client.socket.protocol);
      },
    }));

  it('on a port and a host of its own', async () => {
    const ports = [await freePort(), await freePort()];
    await agrees({
      gateways: (note) => {
        @WebSocketGateway(ports[0]!, { host: '127.0.0.1' })
        class LocalGateway extends MarkGateway {
          @WebSocketServer()
          server!: Server;

          afterInit(server: Server): void {
            server.on('listening', () => note(`listening ${JSON.stringify(server.address())}`));
          }
        }
        @WebSocketGateway(ports[1]!, { path: '/here' })
        class PathGateway extends MarkGateway {}
        return { providers: [LocalGateway, PathGateway] };
      },
      async play(stage) {
        await stage.noted(1);
        const client = await stage.client('/any', { port: ports[0]! });
        client.emit('mark', 1);
        await client.got(1);
        const other = await stage.client('/here?x=1', { port: ports[1]! });
        other.emit('mark', 2);
        await other.got(1);
      },
    });
  });

  it('for a gateway that takes upgrades of a server of its own', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/unused' })
        class UpgradingGateway extends MarkGateway {
          @WebSocketServer()
          server!: Server;
          static port = 0;
          private readonly http = createServer();

          async onApplicationBootstrap(): Promise<void> {
            this.http.on('upgrade', (request, socket, head) =>
              this.server.handleUpgrade(request, socket, head, (client) =>
                this.server.emit('connection', client, request),
              ),
            );
            this.http.listen(0, '127.0.0.1');
            await once(this.http, 'listening');
            note('started');
            Object.assign(globalThis, { upgradingPort: (this.http.address() as AddressInfo).port });
          }

          handleConnection(_client: WebSocket, request: IncomingMessage): void {
            note(`connected ${request.url}`);
          }

          handleDisconnect(_client: WebSocket, code: number): void {
            note(`gone ${code}`);
          }

          async onApplicationShutdown(): Promise<void> {
            this.http.close();
            this.http.closeAllConnections();
            await once(this.http, 'close');
          }
        }
        return { providers: [UpgradingGateway] };
      },
      async play(stage: Stage) {
        const { upgradingPort } = globalThis as unknown as { upgradingPort: number };
        const client = await stage.client('/anything', { port: upgradingPort });
        client.emit('mark', 1);
        await client.got(1);
        await client.close(4005);
        await stage.noted(3);
      },
    }));

  it('for a class that two modules provide', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class TwiceGateway extends MarkGateway {
          handleConnection(): void {
            note('connected');
          }
        }
        @Module({ providers: [TwiceGateway] })
        class OneModule {}
        @Module({ providers: [TwiceGateway] })
        class OtherModule {}
        return { imports: [OneModule, OtherModule] };
      },
      async play(stage) {
        const client = await stage.client();
        client.emit('mark', 1);
        await client.got(2);
      },
    }));

  it('for gateways that share a path and differ in options', () =>
    agrees({
      gateways: () => {
        @WebSocketGateway({ path: '/x', cors: true })
        class FirstGateway extends MarkGateway {}
        @WebSocketGateway({ path: '/x', maxPayload: 10_000 })
        class SecondGateway extends MarkGateway {}
        return { providers: [FirstGateway, SecondGateway] };
      },
      async play(stage) {
        const client = await stage.client('/x');
        client.emit('mark', 'x'.repeat(100));
        await client.got(2);
      },
    }));

  it('for listeners of the application on it', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway()
        class ListeningGateway extends MarkGateway {
          afterInit(server: Server): void {
            server.on('connection', (client, request) => note(`${client.readyState} ${request.url}`));
            server.on('headers', (headers: string[]) => headers.push('X-Mine: yes'));
          }
        }
        return { providers: [ListeningGateway] };
      },
      async play(stage) {
        const client = await stage.client('/?x');
        client.emit('mark', 1);
        await client.got(1);
      },
    }));
});

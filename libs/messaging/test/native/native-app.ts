import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DynamicModule, type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type ServerFrame, TestClient, type TestClientOptions } from '@wss/testing';
import { ClusterWsAdapter, type ClusterWsAdapterOptions } from '../../src/index.js';

/** How a {@link NativeApp} differs from the plainest one. */
export interface NativeAppOptions extends ModuleMetadata {
  readonly adapter?: ClusterWsAdapterOptions | ((app: INestApplication) => ClusterWsAdapterOptions);
  /** Called before the application is initialized. */
  readonly configure?: (app: INestApplication) => void;
}

/** A real Nest application on a random port, with its gateways on our adapter. */
export class NativeApp {
  private readonly clients: TestClient[] = [];

  private constructor(
    readonly app: INestApplication,
    readonly adapter: ClusterWsAdapter,
  ) {}

  /** @throws the error of the boot */
  static async start({ adapter, configure, ...module }: NativeAppOptions): Promise<NativeApp> {
    const app = await NestFactory.create(rootModule(module), new FastifyAdapter(), { abortOnError: false });
    try {
      const options = typeof adapter === 'function' ? adapter(app) : adapter;
      const native = new NativeApp(app, new ClusterWsAdapter(app, options));
      app.useWebSocketAdapter(native.adapter);
      configure?.(app);
      await app.listen(0, '127.0.0.1');
      return native;
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  get httpServer(): HttpServer {
    return this.app.getHttpServer() as HttpServer;
  }

  get port(): number {
    return (this.httpServer.address() as AddressInfo).port;
  }

  url(path = '/', port = this.port): string {
    return `ws://127.0.0.1:${port}${path}`;
  }

  /** Connects a client that is gone when the application is stopped. */
  async client(path = '/', options: TestClientOptions & { port?: number } = {}): Promise<TestClient> {
    const client = await TestClient.connect(this.url(path, options.port), options);
    this.clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.socket.terminate();
    await this.app.close();
  }
}

function rootModule(metadata: ModuleMetadata): DynamicModule {
  @Module({})
  class RootModule {}
  return { module: RootModule, ...metadata };
}

/** A promise, and what settles it. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}

/** Answers `echo` with its data, one turn later: after everything that is answered at once. */
@WebSocketGateway()
export class EchoGateway {
  @SubscribeMessage('echo')
  async echo(@MessageBody() data: unknown): Promise<object> {
    await nextTurn();
    return { event: 'echo', data };
  }
}

/** Sends `echo` with this mark and returns all frames that came before its answer. */
export async function before(client: TestClient, mark = 'end'): Promise<ServerFrame[]> {
  client.send({ event: 'echo', data: { mark } });
  return client.until(({ event, data }) => event === 'echo' && (data as { mark?: string }).mark === mark);
}

/** Waits for so many frames and returns them with all others that came by then. */
export async function frames(client: TestClient, count: number): Promise<ServerFrame[]> {
  const awaited: ServerFrame[] = [];
  while (awaited.length < count) awaited.push(await client.next());
  return [...awaited, ...(await before(client))];
}

/** Fields that applications set on sockets, and those of the router's clients. */
export const SOCKET_FIELDS: readonly string[] = [
  'id user session context alive isAlive held native queue outbound hooks places lags inFlight load',
  'loadBytes dropping throttled blockedSince closeCallbacks pathContext roomStates reply hold took',
  'begin closeWith expiresAt rooms handlers dropFrames useRoom freeRoom roomState joinedRooms',
  'overflowed drained failed whenIdle',
].flatMap((names) => names.split(' '));

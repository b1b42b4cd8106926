import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import { type INestApplication, Module, type ModuleMetadata, type WebSocketAdapter } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import { ClusterWsAdapter } from '../../../src/index.js';
import { routerModule } from '../../test-ports.js';

/** Lines of all that the clients and the gateways saw. */
export interface Transcript {
  readonly notes: readonly string[];
  readonly clients: readonly (readonly string[])[];
}

/** Gateways that write what they see; made anew for each adapter, since decorators belong to classes. */
export type Gateways = (note: (line: string) => void) => ModuleMetadata;

type MakeAdapter = (app: INestApplication, parser?: (data: unknown) => unknown) => WebSocketAdapter;

@WebSocketGateway({ path: '/wss-router', commands: true })
class RouterGateway {}

const beside = (metadata: ModuleMetadata): ModuleMetadata =>
  routerModule({ ...metadata, providers: [RouterGateway, ...(metadata.providers ?? [])] });

const alone = (metadata: ModuleMetadata): ModuleMetadata => metadata;

const ours: MakeAdapter = (app, messageParser) =>
  new ClusterWsAdapter(app, messageParser && { messageParser });

const nests: MakeAdapter = (app, messageParser) =>
  new WsAdapter(app, messageParser && { messageParser: messageParser as never });

/** One application of Nest, and the clients of one run. */
export class Stage {
  readonly notes: string[] = [];
  readonly clients: RecordedClient[] = [];

  private constructor(readonly app: INestApplication) {}

  static async open(metadata: ModuleMetadata, notes: string[], adapter: MakeAdapter): Promise<Stage> {
    @Module({})
    class RootModule {}
    const root = { module: RootModule, ...metadata };
    const app = await NestFactory.create(root, new FastifyAdapter(), { abortOnError: false });
    app.useWebSocketAdapter(adapter(app));
    await app.listen(0, '127.0.0.1');
    const stage = new Stage(app);
    Object.assign(stage, { notes });
    return stage;
  }

  get httpServer(): HttpServer {
    return this.app.getHttpServer() as HttpServer;
  }

  get port(): number {
    return (this.httpServer.address() as AddressInfo).port;
  }

  /** Connects a client that writes down each frame. */
  async client(
    path = '/',
    { port = this.port, ...options }: StageClientOptions = {},
  ): Promise<RecordedClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options.protocols ?? [], options);
    const client = new RecordedClient(socket);
    this.clients.push(client);
    await once(socket, 'open');
    return client;
  }

  /** Waits until the gateways have noted so many lines. */
  async noted(count: number): Promise<void> {
    while (this.notes.length < count) await new Promise((resolve) => setImmediate(resolve));
  }

  async close(): Promise<Transcript> {
    const clients = this.clients.map(({ lines }) => [...lines]);
    const notes = [...this.notes];
    for (const { socket } of this.clients) socket.terminate();
    await this.app.close();
    return { notes, clients };
  }
}

/** Options of a client of the stage. */
export type StageClientOptions = ClientOptions & { readonly port?: number; readonly protocols?: string[] };

/** A plain WebSocket that writes down what it gets. */
export class RecordedClient {
  readonly lines: string[] = [];
  private readonly closed: Promise<unknown>;

  constructor(readonly socket: WebSocket) {
    socket.on('message', (data: RawData, isBinary: boolean) =>
      this.lines.push(lineOf(data as Buffer, isBinary)),
    );
    socket.on('pong', (data: Buffer) => this.lines.push(`pong ${data.toString()}`));
    socket.on('error', () => undefined);
    this.closed = once(socket, 'close').then(([code, reason]) => {
      this.lines.push(`closed ${code} ${String(reason)}`);
    });
  }

  /** Sends an event in Nest's format. */
  emit(event: string, data?: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  /** Waits for so many lines in all. */
  async got(count: number): Promise<void> {
    while (this.lines.length < count) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed after ${this.lines.join()}`);
      await Promise.race([once(this.socket, 'message'), this.closed]);
    }
  }

  /** Waits for a line that has this text. */
  async saw(text: string): Promise<void> {
    while (!this.lines.some((line) => line.includes(text))) await this.got(this.lines.length + 1);
  }

  /** Waits for the end of the connection. */
  async ended(): Promise<void> {
    await this.closed;
  }

  async close(code?: number, reason?: string): Promise<void> {
    this.socket.close(code, reason);
    await this.closed;
  }
}

function lineOf(data: Buffer, isBinary: boolean): string {
  const text = isBinary ? `bytes ${data.toString('hex')}` : data.toString();
  return text.length > 500 ? `${text.slice(0, 60)}… ${text.length}` : text;
}

export interface Scenario {
  readonly gateways: Gateways;
  readonly parser?: (data: unknown) => unknown;
  play(stage: Stage): Promise<unknown>;
}

/** Plays a scenario under Nest's adapter, under ours, and under ours beside a path of the router. */
export async function playEach({
  gateways,
  parser,
  play,
}: Scenario): Promise<[Transcript, Transcript, Transcript]> {
  const run = async (make: MakeAdapter, place: typeof alone): Promise<Transcript> => {
    const notes: string[] = [];
    const metadata = place(gateways((line) => notes.push(line)));
    const stage = await Stage.open(metadata, notes, (app) => make(app, parser));
    try {
      await play(stage);
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage.close();
  };
  return [await run(nests, alone), await run(ours, alone), await run(ours, beside)];
}

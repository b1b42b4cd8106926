import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { type INestApplicationContext, Logger, type Type, type WsMessageHandler } from '@nestjs/common';
import { ModulesContainer, NestApplication } from '@nestjs/core';
import { AbstractWsAdapter } from '@nestjs/websockets';
import type { Observable } from 'rxjs';
import type { ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { kindOf, LogGate, settledWithin, stackOf } from '@wss/protocol';
import { ClientSocket, type PathContext } from '../socket/client-socket.js';
import { Arrivals } from '../connections/arrivals.js';
import { ClientConnections } from '../connections/client-connections.js';
import { HalfOpen } from '../connections/half-open.js';
import { type AcceptedClient, Upgrades } from '../connections/upgrades.js';
import { failConnection, reportFault } from '../socket/connection-failure.js';
import {
  clientOf,
  findGateways,
  type GatewayDeclaration,
  guardHooks,
  holdForConstruction,
} from './gateway-hooks.js';
import { Fallback, type FallbackAdapter } from './fallback.js';
import { FrameReader, type MessageParser } from './frame-reader.js';
import { GatewayPaths, normalizePath, ownPortPath } from './gateway-paths.js';
import { RoutedSocket } from '../socket/routed-socket.js';
import { NativeClient, type NativePath } from '../socket/native-client.js';
import { NativeHandlers } from '../socket/native-handlers.js';
import { type Doorkeeper, type SocketServer, SocketServers } from './socket-servers.js';

/** How long the close of a server waits for disconnect hooks, ms. */
const CLEAN_UP_MS = 5_000;

/** Options of the adapter. */
export interface ClusterWsAdapterOptions {
  /** Reads a message as `{event, data}`; replaces JSON, as in Nest's own adapter. A frame for which it returns nothing is dropped. */
  readonly messageParser?: MessageParser;
  /**
   * Serves the gateways that ask for what only socket.io has: `new IoAdapter(app)`, or a class that extends it. These
   * are gateways with a `namespace` or an option such as `transports`, `cors` or `cookie`, and those that share the
   * port and path of such a gateway without a namespace; a gateway with `commands: true` never is one of them. The log
   * tells at boot which gateways it serves. All that concerns them is as under that adapter. Needs the application in
   * the constructor. Without it, a namespace fails the boot.
   */
  readonly fallback?: FallbackAdapter;
}

/** Options that a gateway's decorator may hold for this adapter. */
export interface ClusterGatewayOptions extends ServerOptions {
  readonly path?: string;
  /** True if the command router serves the gateway's path, too. */
  readonly commands?: boolean;
}

type RoutedPath = PathContext & NativePath;

/** Handlers and hooks of native gateways, as Nest gives them. */
type ConnectCallback = (...args: unknown[]) => void;

/**
 * WebSocket adapter for `ws`, in the place of Nest's `WsAdapter`: existing gateways run unchanged.
 *
 * On a path that no gateway with `commands: true` has, all is as in Nest, but for what docs/native-gateways.md lists.
 * On the path of such a gateway, events that no gateway handles go to the {@link CommandRouter}, bad JSON and unknown
 * events are answered, and a client's data is never echoed in an `exception` frame. On every path a connection hook that
 * throws closes its own socket (1011) and nothing else; this needs the application in the constructor.
 */
export class ClusterWsAdapter extends AbstractWsAdapter {
  private readonly faults = new LogGate((line) => new Logger('WsAdapter').error(line));
  private readonly reader: FrameReader;
  private readonly upgrades: Upgrades;
  /** Absent without the messaging providers: only native gateways are served then. */
  private readonly clients?: ClientConnections;
  /** Absent without the messaging providers: then nothing is limited. */
  private readonly arrivals?: Arrivals;
  private readonly halfOpen?: HalfOpen;
  private readonly servers: SocketServers;
  private readonly paths: GatewayPaths;
  private readonly fallback?: Fallback;
  private readonly contexts = new WeakMap<WebSocketServer, NativePath | RoutedPath>();
  private readonly accepted = new WeakMap<IncomingMessage, AcceptedClient>();
  private readonly connectCallbacks = new WeakMap<WebSocketServer, ConnectCallback[]>();

  constructor(appOrHttpServer?: INestApplicationContext | object, options: ClusterWsAdapterOptions = {}) {
    super(appOrHttpServer);
    const app = appOrHttpServer instanceof NestApplication ? appOrHttpServer : undefined;
    const gateways = app ? findGateways(app.get(ModulesContainer)) : [];
    if (options.fallback) {
      if (!app) throw new Error('a fallback needs the application: new ClusterWsAdapter(app, { fallback })');
      this.fallback = new Fallback(options.fallback, gateways);
    }
    this.paths = inspectGateways(gateways.filter((gateway) => !this.fallback?.serves(gateway)));
    this.reader = new FrameReader(options.messageParser);
    this.clients = providerOf(app, ClientConnections);
    this.upgrades = providerOf(app, Upgrades) ?? new Upgrades();
    this.arrivals = providerOf(app, Arrivals);
    this.halfOpen = providerOf(app, HalfOpen);
    this.servers = new SocketServers(this.doorkeeper());
  }

  /** Replaces the parser of messages, for connected sockets and later ones. */
  setMessageParser(parser: MessageParser): void {
    this.reader.parser = parser;
  }

  override set forceCloseConnections(value: boolean) {
    super.forceCloseConnections = value;
    if (this.fallback) this.fallback.forceCloseConnections = value;
  }

  override get forceCloseConnections(): boolean {
    return super.forceCloseConnections;
  }

  override create(
    port: number,
    options: ClusterGatewayOptions & { server?: WebSocketServer; namespace?: string } = {},
  ): WebSocketServer {
    if (this.fallback?.isAskedFor(port, { ...options })) {
      return this.fallback.create(port, { ...options }) as WebSocketServer;
    }
    const { server, path, namespace } = options;
    if (namespace) throw new Error(this.paths.namespaceRefusal());
    const httpServer = this.httpServer as HttpServer | undefined;
    const attached = port === 0 && httpServer;
    if (!attached && server) return server;
    const ownPath = attached ? normalizePath(path) : ownPortPath(path);
    const routerOptions = this.clients && this.paths.routerOptionsAt(port, path);
    // Of a path where the fallback has a namespace Nest may give the options of that gateway.
    const ownOptions = this.fallback && this.paths.optionsAt(port, path);
    const request = {
      commands: routerOptions !== undefined,
      options: wsOptionsOf(routerOptions ?? ownOptions ?? { ...options }),
      ...(ownPath !== undefined && { path: ownPath }),
    };
    return this.ready(attached ? this.servers.attach(httpServer, request) : this.servers.open(port, request));
  }

  override bindClientConnect(server: WebSocketServer, callback: ConnectCallback): void {
    if (this.fallback?.made(server)) return this.fallback.bindClientConnect(server, callback);
    const callbacks = this.connectCallbacks.get(server);
    if (callbacks) {
      callbacks.push(callback);
      return;
    }
    // Behind the listeners that a gateway adds in `afterInit`, as in Nest.
    const all = [callback];
    this.connectCallbacks.set(server, all);
    server.on('connection', (...args: unknown[]) => {
      for (const each of all) each(...args);
    });
  }

  override bindClientDisconnect(socket: WebSocket, callback: (code: number) => void): void {
    if (this.fallback && !clientOf(socket)) {
      return this.fallback.bindClientDisconnect(socket, callback as (reason: unknown) => void);
    }
    const client = ClientSocket.of(socket);
    if (!client) NativeClient.of(socket)?.onClose(callback);
    // An array that grows keeps room for 16 more, and most clients have one callback.
    else if (client.closeCallbacks) client.closeCallbacks.push(callback);
    else client.closeCallbacks = [callback];
  }

  override bindMessageHandlers(
    socket: WebSocket,
    handlers: WsMessageHandler<string>[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (this.fallback && !clientOf(socket)) {
      return this.fallback.bindMessageHandlers(socket, handlers, transform);
    }
    if (handlers.length === 0) return;
    const client = ClientSocket.of(socket);
    if (!client) {
      NativeClient.of(socket)?.addHandlers(handlers, transform);
      return;
    }
    client.native ??= new NativeHandlers(
      client.pathContext,
      (text) => {
        if (text !== undefined && socket.readyState === socket.OPEN) socket.send(text);
      },
      (kind, line) => reportFault(client, kind, line),
    );
    client.native.add(handlers, transform);
  }

  /** Resolves when all clients have gone and their disconnect hooks have ended, or the time for the hooks is over. */
  override async close(server: WebSocketServer): Promise<void> {
    if (this.fallback?.made(server)) return this.fallback.close(server);
    await this.servers.close(server);
    const context = this.contexts.get(server);
    if (context) await settledWithin(allEnded(context.cleanUps), CLEAN_UP_MS);
  }

  override async dispose(): Promise<void> {
    await Promise.all([this.servers.dispose(), this.fallback?.dispose()]);
  }

  /** Prepares a server whose first gateway asks for it. */
  private ready(target: SocketServer): WebSocketServer {
    const { server } = target;
    if (this.contexts.has(server)) return server;
    this.contexts.set(server, this.pathOf(target));
    // First of all listeners, also for sockets that an application upgrades by itself.
    server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
      this.begin(target, socket, request);
    });
    server.on('error', (error: Error) => this.faults.report(kindOf(error), stackOf(error)));
    return server;
  }

  private pathOf({ commands }: SocketServer): NativePath | RoutedPath {
    const path: NativePath = { reader: this.reader, cleanUps: new Set() };
    if (!commands) return path;
    const connections = this.clients!;
    return { ...path, reader: this.reader, connections, router: connections.router };
  }

  private doorkeeper(): Doorkeeper {
    const { upgrades } = this;
    return {
      get isOpen() {
        return upgrades.isOpen;
      },
      requireOpen: () => this.upgrades.requireOpen(),
      onServer: (httpServer) => this.halfOpen?.watch(httpServer),
      onReleased: () => this.halfOpen?.release(),
      onUpgrade: (request) => this.halfOpen?.asked(request),
      onArrival: (request) => this.arrivals?.take(request),
      onHandshake: (request, accept) => this.admit(request, accept),
      onSocket: (target, socket, request) => this.announce(target, socket, request),
      refuse: (request, refusal) => this.upgrades.refuse(request, refusal),
      onRefused: (status) => this.upgrades.refusedElsewhere(status),
      onError: (error) => this.faults.report(kindOf(error), stackOf(error)),
    };
  }

  private admit(request: IncomingMessage, accept: () => void): void {
    void this.upgrades.admit({
      request,
      admit: () => this.clients!.admit(request),
      accept: (accepted) => {
        this.accepted.set(request, accepted);
        accept();
      },
    });
  }

  private announce({ server }: SocketServer, socket: WebSocket, request: IncomingMessage): void {
    try {
      server.emit('connection', socket, request);
    } catch (error) {
      // The application may have added listeners of its own.
      failConnection('the server', clientOf(socket)!, error);
    }
  }

  private begin({ server, port, path }: SocketServer, socket: WebSocket, request: IncomingMessage): void {
    const context = this.contexts.get(server)!;
    if (socket instanceof RoutedSocket && 'router' in context) {
      this.clients!.begin(socket, request.socket, this.accepted.get(request)!, context);
    } else {
      this.upgrades.answered(101);
      NativeClient.begin(socket, context);
    }
    holdForConstruction(clientOf(socket)!, this.paths.requestScopedAt(port, path));
  }
}

/** Prepares the gateways that this adapter serves. */
function inspectGateways(gateways: readonly GatewayDeclaration[]): GatewayPaths {
  const paths = new GatewayPaths(gateways);
  for (const line of paths.warnings()) new Logger('WsAdapter').warn(line);
  for (const gateway of gateways) guardHooks(gateway);
  return paths;
}

/** Resolves when the set is empty: a hook may begin when a client's last messages are handled. */
async function allEnded(cleanUps: ReadonlySet<Promise<unknown>>): Promise<void> {
  while (cleanUps.size > 0) await Promise.all(cleanUps);
}

/** Returns the application's instance of a class, if some module provides it. */
function providerOf<T extends object>(
  app: INestApplicationContext | undefined,
  type: Type<T>,
): T | undefined {
  // `app.get(type)` would not do: if it finds nothing, it ends the process of an ordinary application.
  for (const { providers } of app?.get(ModulesContainer).values() ?? []) {
    const known: unknown = providers.get(type)?.instance;
    if (known instanceof type) return known;
  }
  return undefined;
}

/** Returns the part of a gateway's options that is for `ws`. */
function wsOptionsOf(options: Readonly<Record<string, unknown>>): ServerOptions {
  const { server: _server, path: _path, namespace: _namespace, commands: _commands, ...rest } = options;
  return rest;
}

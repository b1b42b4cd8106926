import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { type INestApplicationContext, Logger, type Type, type WsMessageHandler } from '@nestjs/common';
import { ModulesContainer, NestApplication } from '@nestjs/core';
import { AbstractWsAdapter } from '@nestjs/websockets';
import type { Observable } from 'rxjs';
import type { ServerOptions, WebSocketServer } from 'ws';
import { kindOf, LogGate, settledWithin, stackOf } from '@wss/protocol';
import type { ClientSocket, PathContext } from '../socket/client-socket.js';
import { ClientConnections } from '../connections/client-connections.js';
import { type Connections, Sockets } from '../connections/connections.js';
import { NativeConnections } from '../connections/native-connections.js';
import { type AcceptedClient, Upgrades } from '../connections/upgrades.js';
import { failConnection, reportFault } from '../socket/connection-failure.js';
import { findGateways, guardHooks, holdForConstruction } from './gateway-hooks.js';
import { Flusher } from '../socket/flusher.js';
import { FrameReader, type MessageParser } from './frame-reader.js';
import { GatewayPaths, normalizePath, ownPortPath } from './gateway-paths.js';
import { NativeHandlers } from '../socket/native-handlers.js';
import { type Doorkeeper, type SocketServer, SocketServers } from './socket-servers.js';

/** How long the close of a server waits for disconnect hooks, ms. */
const CLEAN_UP_MS = 5_000;

/** Options of the adapter. */
export interface ClusterWsAdapterOptions {
  /** Reads a message as `{event, data}`; replaces JSON, as in Nest's own adapter. A frame for which it returns nothing is dropped. */
  readonly messageParser?: MessageParser;
}

/** Options that a gateway's decorator may hold for this adapter. */
export interface ClusterGatewayOptions extends ServerOptions {
  readonly path?: string;
  /** True if the command router serves the gateway's path, too. */
  readonly commands?: boolean;
}

interface ServedPath extends PathContext {
  readonly connections: Connections;
}

/**
 * WebSocket adapter for `ws`, in the place of Nest's `WsAdapter`: existing gateways run unchanged.
 *
 * It differs in three points. A client's data is never echoed in an `exception` frame. A connection hook that throws
 * closes its own socket (1011) and nothing else; this needs the application in the constructor. Bad JSON and unknown
 * events are answered. On the path of a gateway with `commands: true`, events that no gateway handles go to the
 * {@link CommandRouter}.
 */
export class ClusterWsAdapter extends AbstractWsAdapter {
  private readonly faults = new LogGate((line) => new Logger('WsAdapter').error(line));
  private readonly reader: FrameReader;
  private readonly native: NativeConnections;
  /** Absent without the messaging providers: only native gateways are served then. */
  private readonly clients?: ClientConnections;
  private readonly servers: SocketServers;
  private readonly paths?: GatewayPaths;
  private readonly contexts = new WeakMap<WebSocketServer, ServedPath>();
  private readonly accepted = new WeakMap<IncomingMessage, AcceptedClient>();
  private readonly connectCallbacks = new WeakMap<WebSocketServer, ((...args: unknown[]) => void)[]>();

  constructor(appOrHttpServer?: INestApplicationContext | object, options: ClusterWsAdapterOptions = {}) {
    super(appOrHttpServer);
    const app = appOrHttpServer instanceof NestApplication ? appOrHttpServer : undefined;
    if (app) this.paths = this.inspectGateways(app);
    this.reader = new FrameReader(options.messageParser);
    this.clients = providerOf(app, ClientConnections);
    this.native = providerOf(app, NativeConnections) ?? nativeAlone();
    this.servers = new SocketServers(this.doorkeeper());
  }

  /** Replaces the parser of messages, for connected sockets and later ones. */
  setMessageParser(parser: MessageParser): void {
    this.reader.parser = parser;
  }

  override create(
    port: number,
    options: ClusterGatewayOptions & { server?: WebSocketServer; namespace?: string } = {},
  ): WebSocketServer {
    const { server, path, namespace, commands, ...wsOptions } = options;
    if (namespace) {
      throw new Error('WebSocket knows no namespaces; use paths, or @nestjs/platform-socket.io');
    }
    const httpServer = this.httpServer as HttpServer | undefined;
    const attached = port === 0 && httpServer;
    if (!attached && server) return server;
    const ownPath = attached ? normalizePath(path) : ownPortPath(path);
    const request = {
      commands: this.paths?.servesCommands(port, path) ?? commands === true,
      options: wsOptions,
      ...(ownPath !== undefined && { path: ownPath }),
    };
    return this.ready(attached ? this.servers.attach(httpServer, request) : this.servers.open(port, request));
  }

  override bindClientConnect(server: WebSocketServer, callback: (...args: unknown[]) => void): void {
    const callbacks = this.connectCallbacks.get(server);
    if (callbacks) callbacks.push(callback);
    else server.on('connection', callback);
  }

  override bindClientDisconnect(client: ClientSocket, callback: (code: number) => void): void {
    // An array that grows keeps room for 16 more, and most clients have one callback.
    if (client.closeCallbacks) client.closeCallbacks.push(callback);
    else client.closeCallbacks = [callback];
  }

  override bindMessageHandlers(
    client: ClientSocket,
    handlers: WsMessageHandler<string>[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (handlers.length === 0) return;
    client.native ??= new NativeHandlers(
      (text) => {
        if (client.readyState === client.OPEN) client.send(text);
      },
      (kind, line) => reportFault(client, kind, line),
    );
    client.native.add(handlers, transform);
  }

  /** Resolves when all clients have gone and their disconnect hooks have ended, or the time for the hooks is over. */
  override async close(server: WebSocketServer): Promise<void> {
    await this.servers.close(server);
    const cleanUps = [...(this.contexts.get(server)?.cleanUps ?? [])];
    await settledWithin(Promise.all(cleanUps), CLEAN_UP_MS);
  }

  override dispose(): Promise<void> {
    return this.servers.dispose();
  }

  private ready(server: WebSocketServer): WebSocketServer {
    const callbacks: ((...args: unknown[]) => void)[] = [];
    this.connectCallbacks.set(server, callbacks);
    server.on('connection', (...args: unknown[]) => {
      for (const callback of callbacks) callback(...args);
    });
    server.on('error', (error: Error) => this.faults.report(kindOf(error), stackOf(error)));
    return server;
  }

  private doorkeeper(): Doorkeeper {
    return {
      onHandshake: (target, request, accept) => this.admit(target, request, accept),
      onSocket: (target, client, request) => {
        const accepted = this.accepted.get(request)!;
        const context = this.contextOf(target);
        context.connections.begin(client, request.socket, accepted, context);
        this.announce(target, client, request);
      },
      refuse: (request, refusal) => this.native.upgrades.refuse(request, refusal),
      onRefused: (status) => this.native.upgrades.answered(status),
      onError: (error) => this.faults.report(kindOf(error), stackOf(error)),
    };
  }

  private admit(target: SocketServer, request: IncomingMessage, accept: () => void): void {
    const { connections } = this.contextOf(target);
    void this.native.upgrades.admit({
      request,
      admit: () => connections.admit(request),
      accept: (accepted) => {
        this.accepted.set(request, accepted);
        accept();
      },
    });
  }

  private announce(
    { server, port, path }: SocketServer,
    client: ClientSocket,
    request: IncomingMessage,
  ): void {
    holdForConstruction(client, this.paths?.requestScopedAt(port, path) ?? []);
    try {
      server.emit('connection', client, request);
    } catch (error) {
      // The application may have added listeners of its own.
      failConnection('the server', client, error);
    }
  }

  private contextOf({ server, port, path }: SocketServer): ServedPath {
    let context = this.contexts.get(server);
    if (!context) {
      const clients = this.paths?.servesCommands(port, path) ? this.clients : undefined;
      const { reader, native } = this;
      context = { reader, cleanUps: new Set(), connections: clients ?? native };
      if (clients) context = { ...context, router: clients.router };
      this.contexts.set(server, context);
    }
    return context;
  }

  private inspectGateways(app: INestApplicationContext): GatewayPaths {
    const gateways = findGateways(app.get(ModulesContainer));
    const paths = new GatewayPaths(gateways);
    for (const gateway of gateways) guardHooks(gateway);
    return paths;
  }
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

/** Makes what native gateways need without the messaging providers, where a node has no identity. */
function nativeAlone(): NativeConnections {
  const nodeId = randomBytes(6).toString('base64url');
  return new NativeConnections(new Upgrades(), new Sockets(new Flusher(), { nodeId }));
}

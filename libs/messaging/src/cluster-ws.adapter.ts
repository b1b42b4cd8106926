import type { Server as HttpServer } from 'node:http';
import { type INestApplicationContext, Logger, type WsMessageHandler } from '@nestjs/common';
import { ModulesContainer, NestApplication } from '@nestjs/core';
import { AbstractWsAdapter, WsException } from '@nestjs/websockets';
import type { Observable } from 'rxjs';
import type { ServerOptions, WebSocketServer } from 'ws';
import type { ClientSocket } from './client-socket.js';
import { type AcceptedClient, ClientConnections } from './client-connections.js';
import { describe, findGateways, guardHooks } from './gateway-hooks.js';
import { Flusher } from './flusher.js';
import { FrameReader, type MessageParser } from './frame-reader.js';
import { GatewayPaths, normalizePath } from './gateway-paths.js';
import type { PathContext } from './path-context.js';
import { NativeHandlers } from './native-handlers.js';
import { type SocketServer, SocketServers, type UpgradeHandler } from './socket-servers.js';

/** Options of the adapter. */
export interface ClusterWsAdapterOptions {
  /** Reads a message as `{event, data}`; replaces JSON, as in Nest's own adapter. A frame for which it returns nothing is dropped. */
  readonly messageParser?: MessageParser;
}

/** What a gateway's decorator may hold for this adapter. */
export interface ClusterGatewayOptions extends ServerOptions {
  readonly path?: string;
  /** The gateway's path is served by the command router too. */
  readonly commands?: boolean;
}

/**
 * WebSocket adapter for `ws`, in the place of Nest's `WsAdapter`: existing gateways run unchanged.
 *
 * Three things differ. What a client sent is never echoed in an `exception` frame. A connection hook that throws
 * closes its own socket (1011) and nothing else. Bad JSON and unknown events are answered. On the path of a
 * gateway with `commands: true`, events that no gateway handles go to the {@link CommandRouter}.
 */
export class ClusterWsAdapter extends AbstractWsAdapter {
  private readonly logger = new Logger('WsAdapter');
  private readonly reader: FrameReader;
  private readonly connections: ClientConnections;
  private readonly servers: SocketServers;
  private readonly paths?: GatewayPaths;
  private readonly contexts = new WeakMap<WebSocketServer, PathContext>();
  private readonly connectCallbacks = new WeakMap<WebSocketServer, ((...args: unknown[]) => void)[]>();

  constructor(appOrHttpServer?: INestApplicationContext | object, options: ClusterWsAdapterOptions = {}) {
    super(appOrHttpServer);
    const app = appOrHttpServer instanceof NestApplication ? appOrHttpServer : undefined;
    if (app) this.paths = this.inspectGateways(app);
    this.reader = new FrameReader(options.messageParser);
    this.connections = connectionsOf(app);
    this.servers = new SocketServers(this.onUpgrade);
  }

  /** Replaces the parser of messages, for sockets that connect from now on too. */
  setMessageParser(parser: MessageParser): void {
    this.reader.parser = parser;
  }

  override create(
    port: number,
    options: ClusterGatewayOptions & { server?: WebSocketServer; namespace?: string } = {},
  ): WebSocketServer {
    const { server, path, namespace, commands: _commands, ...wsOptions } = options;
    if (namespace !== undefined) {
      throw new Error('WebSocket knows no namespaces; use paths, or @nestjs/platform-socket.io');
    }
    const httpServer = this.httpServer as HttpServer | undefined;
    if (port === 0 && httpServer)
      return this.ready(this.servers.attach(httpServer, normalizePath(path), wsOptions).server);
    if (server) return server;
    return this.ready(
      this.servers.open(port, path === undefined ? undefined : normalizePath(path), wsOptions).server,
    );
  }

  override bindClientConnect(server: WebSocketServer, callback: (...args: unknown[]) => void): void {
    const callbacks = this.connectCallbacks.get(server);
    if (callbacks) callbacks.push(callback);
    else server.on('connection', callback);
  }

  override bindClientDisconnect(client: ClientSocket, callback: (code: number) => void): void {
    (client.closeCallbacks ??= []).push(callback);
  }

  override bindMessageHandlers(
    client: ClientSocket,
    handlers: WsMessageHandler<string>[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (handlers.length === 0) return;
    client.native ??= new NativeHandlers((text) => {
      if (client.readyState === client.OPEN) client.send(text);
    });
    client.native.add(handlers, transform);
  }

  override close(server: WebSocketServer): Promise<void> {
    return this.servers.close(server);
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
    server.on('error', (error: Error) => this.logger.error(describe(error)));
    return server;
  }

  private readonly onUpgrade: UpgradeHandler = (target, request, socket, head, url) => {
    const context = this.contextOf(target);
    const accept = (accepted: AcceptedClient): void => {
      target.server.handleUpgrade(request, socket, head, (ws) => {
        this.connections.begin(ws as ClientSocket, socket, accepted, context);
        target.server.emit('connection', ws, request);
      });
    };
    void this.connections.admit({ request, url, socket, commands: context.router !== undefined, accept });
  };

  private contextOf({ server, port, path }: SocketServer): PathContext {
    let context = this.contexts.get(server);
    if (!context) {
      const router = this.paths?.servesCommands(port, path) ? this.connections.router : undefined;
      context = { reader: this.reader, connections: this.connections, ...(router && { router }) };
      this.contexts.set(server, context);
    }
    return context;
  }

  private inspectGateways(app: INestApplicationContext): GatewayPaths {
    const gateways = findGateways(app.get(ModulesContainer));
    for (const gateway of gateways) {
      guardHooks(gateway.class, (client, error) => this.failConnection(gateway.class.name, client, error));
    }
    return new GatewayPaths(gateways);
  }

  private failConnection(gateway: string, client: ClientSocket, error: unknown): void {
    const refused = error instanceof WsException;
    if (!refused)
      this.logger.error(`handleConnection of ${gateway} failed for client ${client.id}: ${describe(error)}`);
    const message = refused ? error.message : 'Internal server error';
    if (client.readyState === client.OPEN) {
      client.send(JSON.stringify({ event: 'exception', data: { status: 'error', message } }));
    }
    client.closeWith(1011);
  }
}

/** The application's connections; without the messaging providers only native gateways are served. */
function connectionsOf(app: INestApplicationContext | undefined): ClientConnections {
  try {
    const known = app?.get(ClientConnections, { strict: false });
    if (known) return known;
  } catch {
    // The application does not use the router.
  }
  return new ClientConnections(new Flusher());
}

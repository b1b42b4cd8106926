import cluster from 'node:cluster';
import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, type WebSocketServer } from 'ws';
import { CLOSE_CODES } from '@wss/protocol';
import { LISTEN_BACKLOG } from '../ports/limits.js';
import { UpgradeRefusal } from '../ports/ports.js';
import { nativeServer, routedServer, type SocketServerRequest } from './new-servers.js';

/** How long another listener has for an upgrade request of which this adapter knows nothing, ms. */
const OTHERS_MS = 5_000;

/** How long the clients of a closing server have to answer the close frame, ms. */
const CLOSE_GRACE_MS = 1_000;

/** A WebSocket server of one port and path. */
export interface SocketServer {
  readonly server: WebSocketServer;
  readonly port: number;
  /** Absent: every path of the port. */
  readonly path?: string;
  /** True if the command router serves it. */
  readonly commands: boolean;
  /** Its clients, where its gateway has turned off that `ws` keeps them. */
  readonly untracked?: ReadonlySet<WebSocket>;
}

/** Decides on upgrade requests. */
export interface Doorkeeper {
  /** False once all upgrades are refused. */
  readonly isOpen: boolean;
  /** @throws UpgradeRefusal when upgrades are refused */
  requireOpen(): void;
  /** Called with each HTTP server whose upgrades are listened to. */
  onServer(httpServer: HttpServer): void;
  /** Called when all servers are released. */
  onReleased(): void;
  /** Called with each upgrade request, before anything else. */
  onUpgrade(request: IncomingMessage): void;
  /**
   * Counts a request for one of the paths.
   * @throws UpgradeRefusal when too many have come
   */
  onArrival(request: IncomingMessage): void;
  /**
   * Called with a request for a path of the router whose handshake is valid; `accept` makes it a WebSocket. Requests for
   * paths of native gateways alone are accepted without asking.
   */
  onHandshake(request: IncomingMessage, accept: () => void): void;
  /** Called when a request became a WebSocket. */
  onSocket(target: SocketServer, socket: WebSocket, request: IncomingMessage): void;
  /** Answers every other request. */
  refuse(request: IncomingMessage, refusal: UpgradeRefusal): void;
  /** Called when the gateway's own options refused a request. */
  onRefused(status: number): void;
  onError(error: Error): void;
}

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** The WebSocket servers by port and path; the one table of the adapter. */
export class SocketServers {
  private readonly servers: SocketServer[] = [];
  /** Servers that close or are closed. */
  private readonly closing = new WeakMap<WebSocketServer, Promise<void>>();
  private readonly listeners = new Map<HttpServer, OnUpgrade>();
  private readonly own = new Map<number, HttpServer>();
  /** Requests that a gateway's own check has refused. */
  private readonly refused = new WeakSet<IncomingMessage>();

  constructor(private readonly doorkeeper: Doorkeeper) {}

  /** Adds a server on the application's HTTP server, unless the path has one. */
  attach(httpServer: HttpServer, request: SocketServerRequest): SocketServer {
    this.listen(httpServer, 0);
    return this.at(0, request) ?? this.add(httpServer, 0, request);
  }

  /**
   * Adds a server on a port of its own, unless the path has one; several paths may share a port.
   * @throws Error when the port is taken
   */
  open(port: number, request: SocketServerRequest): SocketServer {
    const httpServer = this.own.get(port) ?? this.openPort(port, request.options);
    return this.at(port, request) ?? this.addOwn(httpServer, port, request);
  }

  /** Removes a server and closes it: its clients get 1012, and are cut if they don't answer. */
  close(server: WebSocketServer): Promise<void> {
    let closed = this.closing.get(server);
    if (!closed) this.closing.set(server, (closed = this.closeOnce(server)));
    return closed;
  }

  private async closeOnce(server: WebSocketServer): Promise<void> {
    const untracked = this.servers.find((entry) => entry.server === server)?.untracked;
    const clients = untracked ?? server.clients;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const client of clients) {
      if (client.readyState === WebSocket.OPEN) client.close(1012, CLOSE_CODES[1012].reason);
    }
    const timer = setTimeout(() => clients.forEach((client) => client.terminate()), CLOSE_GRACE_MS);
    await Promise.all([closed, ...[...(untracked ?? [])].map(gone)]);
    clearTimeout(timer);
    const index = this.servers.findIndex((entry) => entry.server === server);
    if (index >= 0) this.servers.splice(index, 1);
  }

  /**
   * Releases every HTTP server: the adapter's own are closed, the application's is left as it was. Where the node stops,
   * the application's refuses upgrades until it closes: the platform's answer would tell clients that the URL is wrong.
   */
  async dispose(): Promise<void> {
    for (const [httpServer, listener] of this.listeners) {
      const release = (): void => void httpServer.off('upgrade', listener);
      if (!this.doorkeeper.isOpen && httpServer.listening) httpServer.once('close', release);
      else release();
    }
    this.listeners.clear();
    this.doorkeeper.onReleased();
    const own = [...this.own.values()];
    this.own.clear();
    this.servers.length = 0;
    await Promise.all(own.map(closePort));
  }

  private at(port: number, { path }: SocketServerRequest): SocketServer | undefined {
    return this.servers.find((entry) => entry.port === port && entry.path === path);
  }

  private add(httpServer: HttpServer, port: number, request: SocketServerRequest): SocketServer {
    const { path, commands } = request;
    const server = commands ? this.routedServer(request) : this.nativeServer(request);
    // Nest and applications read these; without a server of its own `ws` sets neither.
    Object.assign(server, { path, address: () => httpServer.address() });
    const untracked = server.options.clientTracking === false && trackClients(server);
    const entry: SocketServer = {
      ...{ server, port, commands },
      ...(path !== undefined && { path }),
      ...(untracked && { untracked }),
    };
    this.servers.push(entry);
    return entry;
  }

  /** As in Nest, a server for all paths of its port hears of the port. */
  private addOwn(httpServer: HttpServer, port: number, request: SocketServerRequest): SocketServer {
    const entry = this.add(httpServer, port, request);
    if (entry.path !== undefined) return entry;
    httpServer.on('listening', () => entry.server.emit('listening'));
    httpServer.on('error', (error) => entry.server.emit('error', error));
    return entry;
  }

  private nativeServer(request: SocketServerRequest): WebSocketServer {
    const server: WebSocketServer = nativeServer(request, {
      onRefused: (upgrade, status) => {
        this.refused.add(upgrade);
        this.doorkeeper.onRefused(status);
      },
      isStillOpen: (upgrade) => this.isStillOpen(server, upgrade),
    });
    return server;
  }

  /** Refuses a request if the server has begun to close, or the node to stop, while the gateway's check was at work. */
  private isStillOpen(server: WebSocketServer, request: IncomingMessage): boolean {
    try {
      this.requireOpen(server);
      return true;
    } catch (error) {
      this.doorkeeper.refuse(request, error as UpgradeRefusal);
      return false;
    }
  }

  /** @throws UpgradeRefusal */
  private requireOpen(server: WebSocketServer): void {
    if (this.closing.has(server)) throw closingRefusal();
    this.doorkeeper.requireOpen();
  }

  private routedServer(request: SocketServerRequest): WebSocketServer {
    const server: WebSocketServer = routedServer(request, {
      onHandshake: (upgrade, accept) => this.doorkeeper.onHandshake(upgrade, accept),
      onRefused: (status) => this.doorkeeper.onRefused(status),
    });
    server.on('wsClientError', (error: Error, _socket: Duplex, upgrade: IncomingMessage) => {
      // Another listener answers it.
      if (server.listenerCount('wsClientError') > 1) return;
      this.doorkeeper.refuse(upgrade, handshakeRefusal(upgrade, error));
    });
    return server;
  }

  private openPort(port: number, { host, backlog = LISTEN_BACKLOG }: ServerOptions): HttpServer {
    const httpServer = createServer((_request, response) => {
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade' }).end();
    });
    httpServer.on('error', (error) => this.doorkeeper.onError(error));
    httpServer.listen({ port, backlog, ...(host !== undefined && { host }) });
    // A port without a host is bound at once, except by the workers of a Node cluster; a host is looked up first.
    if (host === undefined && !httpServer.listening && cluster.isPrimary) {
      throw new Error(`port ${port} can't be opened; it is probably taken: give the gateway another one`);
    }
    this.own.set(port, httpServer);
    this.listen(httpServer, port);
    return httpServer;
  }

  private listen(httpServer: HttpServer, port: number): void {
    if (this.listeners.has(httpServer)) return;
    const listener: OnUpgrade = (request, socket, head) => {
      socket.on('error', destroy);
      let isUpgraded = false;
      try {
        this.doorkeeper.onUpgrade(request);
        const target = this.targetOf(port, request);
        if (!target) return this.leaveToOthers(httpServer, port, request);
        this.doorkeeper.onArrival(request);
        target.server.handleUpgrade(request, socket, head, (client) => {
          isUpgraded = true;
          this.doorkeeper.onSocket(target, client, request);
        });
        if (!isUpgraded && !target.commands) this.countBad(request, socket);
      } catch (error) {
        if (error instanceof UpgradeRefusal) return this.doorkeeper.refuse(request, error);
        // A gateway's own check of the request has thrown: its client is answered as under Nest, nobody else is hurt.
        this.doorkeeper.onError(error as Error);
        if (isUpgraded) socket.destroy();
        else
          this.doorkeeper.refuse(
            request,
            new UpgradeRefusal(400, 'the request was refused', { log: '', check: 'fault' }),
          );
      }
    };
    httpServer.on('upgrade', listener);
    this.doorkeeper.onServer(httpServer);
    this.listeners.set(httpServer, listener);
  }

  /** Counts a handshake of a native path that `ws` itself has refused, with the status that it chose. */
  private countBad(request: IncomingMessage, socket: Duplex): void {
    if (!socket.writableEnded || this.refused.has(request)) return;
    this.doorkeeper.onRefused(request.method === 'GET' ? 400 : 405);
  }

  /** Refuses a request for an unknown path: at once if nobody else listens, or else when nobody has answered it. */
  private leaveToOthers(httpServer: HttpServer, port: number, request: IncomingMessage): void {
    const refusal = new UpgradeRefusal(404, 'no WebSocket here', { log: this.placesAt(port), check: 'path' });
    if (httpServer.listenerCount('upgrade') === 1) {
      // The path of a stopping node may be closed already; its clients shall come back.
      this.doorkeeper.requireOpen();
      throw refusal;
    }
    const { socket } = request;
    const { bytesWritten } = socket;
    const timer = setTimeout(() => {
      socket.off('close', stop);
      if (socket.bytesWritten === bytesWritten) this.doorkeeper.refuse(request, refusal);
    }, OTHERS_MS);
    const stop = (): void => clearTimeout(timer);
    socket.once('close', stop);
  }

  private placesAt(port: number): string {
    const paths = this.servers.filter((entry) => entry.port === port).map(({ path }) => path);
    const known = paths.slice(0, MOST_PATHS).join(', ');
    return `no WebSocket is at the path that was asked for; here they are at ${known} (option path, of the gateway WS_PATH)`;
  }

  /** @throws UpgradeRefusal */
  private targetOf(port: number, request: IncomingMessage): SocketServer | undefined {
    const url = urlOf(request);
    if (!url) throw new UpgradeRefusal(400, 'the request has no valid URL', { check: 'url' });
    const target = this.find(port, url.pathname);
    if (!target) return undefined;
    // Admission asks whether the node is open, for the router's paths.
    if (!target.commands) this.requireOpen(target.server);
    else if (this.closing.has(target.server)) throw closingRefusal();
    return target;
  }

  private find(port: number, pathname: string): SocketServer | undefined {
    const ofPort = this.servers.filter((entry) => entry.port === port);
    return ofPort.find(({ path }) => path === pathname) ?? ofPort.find(({ path }) => path === undefined);
  }
}

/** Most paths that a line of the log lists. */
const MOST_PATHS = 5;

const closingRefusal = (): UpgradeRefusal =>
  new UpgradeRefusal(503, 'shutting down; try again', { check: 'stopping' });

/** Keeps the clients of a server, as `ws` does unless a gateway's options say otherwise. */
function trackClients(server: WebSocketServer): ReadonlySet<WebSocket> {
  const clients = new Set<WebSocket>();
  server.on('connection', (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
  });
  return clients;
}

/** Resolves when a client is disconnected. */
function gone(client: WebSocket): Promise<void> {
  if (client.readyState === WebSocket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => client.once('close', () => resolve()));
}

/** Destroys a socket that failed; not a closure, which would keep the request for as long as the socket lives. */
function destroy(this: Duplex): void {
  this.destroy();
}

/** Answers with the fault that `ws` found. */
function handshakeRefusal({ method, headers }: IncomingMessage, { message }: Error): UpgradeRefusal {
  const check = 'handshake';
  if (method !== 'GET') return new UpgradeRefusal(405, message, { headers: ['Allow: GET'], check });
  const isSpoken = ['13', '8'].includes(headers['sec-websocket-version'] ?? '');
  const lines = isSpoken ? [] : ['Sec-WebSocket-Version: 13, 8'];
  return new UpgradeRefusal(400, message, { headers: lines, check });
}

async function closePort(httpServer: HttpServer): Promise<void> {
  const closed = new Promise((resolve) => httpServer.close(resolve));
  httpServer.closeAllConnections();
  await closed;
}

function urlOf(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? '/', 'ws://node');
  } catch {
    return undefined;
  }
}

import cluster from 'node:cluster';
import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ServerOptions,
  type VerifyClientCallbackAsync,
  type VerifyClientCallbackSync,
  WebSocket,
  WebSocketServer,
} from 'ws';
import { CLOSE_CODES, RESUME_PREFIX, SUBPROTOCOL, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import { ClientSocket } from '../socket/client-socket.js';
import { LISTEN_BACKLOG, MAX_FRAME_BYTES } from '../ports/limits.js';
import { UpgradeRefusal } from '../ports/ports.js';

/** How long the clients of a closing server have to answer the close frame, ms. */
const CLOSE_GRACE_MS = 1_000;

/** The server that a gateway asks for. */
export interface SocketServerRequest {
  /** Absent, on a port of its own: every path of the port. */
  readonly path?: string;
  /** True if the command router serves it. */
  readonly commands: boolean;
  readonly options: ServerOptions;
}

/** A WebSocket server of one port and path. */
export interface SocketServer {
  readonly server: WebSocketServer;
  readonly port: number;
  /** Absent: every path of the port. */
  readonly path?: string;
}

/** Decides on upgrade requests. */
export interface Doorkeeper {
  /** Called with a request for this server whose handshake is valid; `accept` makes it a WebSocket. */
  onHandshake(target: SocketServer, request: IncomingMessage, accept: () => void): void;
  /** Called when a request became a WebSocket. */
  onSocket(target: SocketServer, client: ClientSocket, request: IncomingMessage): void;
  /** Answers every other request. */
  refuse(request: IncomingMessage, refusal: UpgradeRefusal): void;
  /** Called when the gateway's own options refused a request. */
  onRefused(status: number): void;
  onError(error: Error): void;
}

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Default limits of every server; a gateway's own options come after them. */
// `closeTimeout` and `maxFragments` are newer than the published types.
const LIMITS: ServerOptions & { closeTimeout: number; maxFragments: number } = {
  noServer: true,
  maxPayload: MAX_FRAME_BYTES,
  maxFragments: 1_024,
  closeTimeout: 5_000,
};

/** The WebSocket servers by port and path; the one table of the adapter. */
export class SocketServers {
  private readonly servers: SocketServer[] = [];
  private readonly closing = new Set<WebSocketServer>();
  private readonly listeners = new Map<HttpServer, OnUpgrade>();
  private readonly own = new Map<number, HttpServer>();

  constructor(private readonly doorkeeper: Doorkeeper) {}

  /** Adds a server on the application's HTTP server. */
  attach(httpServer: HttpServer, request: SocketServerRequest): WebSocketServer {
    this.listen(httpServer, 0);
    return this.add(httpServer, 0, request);
  }

  /**
   * Adds a server on a port of its own; several paths may share it.
   * @throws Error when the port is taken
   */
  open(port: number, request: SocketServerRequest): WebSocketServer {
    const httpServer = this.own.get(port) ?? this.openPort(port);
    return this.add(httpServer, port, request);
  }

  /** Removes a server and closes it: its clients get 1012, and are cut if they don't answer. */
  async close(server: WebSocketServer): Promise<void> {
    this.closing.add(server);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.close(1012, CLOSE_CODES[1012].reason);
    }
    const timer = setTimeout(() => server.clients.forEach((client) => client.terminate()), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(timer);
    this.closing.delete(server);
    const index = this.servers.findIndex((entry) => entry.server === server);
    if (index >= 0) this.servers.splice(index, 1);
  }

  /** Releases every HTTP server: the adapter's own are closed, the application's is left as it was. */
  async dispose(): Promise<void> {
    for (const [httpServer, listener] of this.listeners) httpServer.off('upgrade', listener);
    this.listeners.clear();
    const own = [...this.own.values()];
    this.own.clear();
    this.servers.length = 0;
    await Promise.all(own.map(closePort));
  }

  private add(httpServer: HttpServer, port: number, request: SocketServerRequest): WebSocketServer {
    const { path } = request;
    const server: WebSocketServer = newServer(request, {
      onHandshake: (upgrade, accept) => this.doorkeeper.onHandshake(entry, upgrade, accept),
      onRefused: (status) => this.doorkeeper.onRefused(status),
    });
    server.on('wsClientError', (error: Error, _socket: Duplex, upgrade: IncomingMessage) => {
      // Another listener answers it.
      if (server.listenerCount('wsClientError') > 1) return;
      this.doorkeeper.refuse(upgrade, handshakeRefusal(upgrade, error));
    });
    // Nest and applications read these; without a server of its own `ws` sets neither.
    Object.assign(server, { path, address: () => httpServer.address() });
    const entry: SocketServer = { server, port, ...(path !== undefined && { path }) };
    this.servers.push(entry);
    return server;
  }

  private openPort(port: number): HttpServer {
    const httpServer = createServer((_request, response) => {
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade' }).end();
    });
    httpServer.on('error', (error) => this.doorkeeper.onError(error));
    httpServer.listen({ port, backlog: LISTEN_BACKLOG });
    // A port without a host is bound at once, except by the workers of a Node cluster.
    if (!httpServer.listening && cluster.isPrimary) {
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
      try {
        const target = this.targetOf(port, request);
        target.server.handleUpgrade(request, socket, head, (client) => {
          this.doorkeeper.onSocket(target, client as ClientSocket, request);
        });
      } catch (error) {
        if (!(error instanceof UpgradeRefusal)) throw error;
        this.doorkeeper.refuse(request, error);
      }
    };
    httpServer.on('upgrade', listener);
    this.listeners.set(httpServer, listener);
  }

  /** @throws UpgradeRefusal */
  private targetOf(port: number, request: IncomingMessage): SocketServer {
    const url = urlOf(request);
    if (!url) throw new UpgradeRefusal(400, 'the request has no valid URL');
    const target = this.find(port, url.pathname);
    if (!target) throw new UpgradeRefusal(404, 'no WebSocket here');
    if (this.closing.has(target.server)) throw new UpgradeRefusal(503, 'shutting down; try again');
    return target;
  }

  private find(port: number, pathname: string): SocketServer | undefined {
    const ofPort = this.servers.filter((entry) => entry.port === port);
    return ofPort.find(({ path }) => path === pathname) ?? ofPort.find(({ path }) => path === undefined);
  }
}

/** Destroys a socket that failed; not a closure, which would keep the request for as long as the socket lives. */
function destroy(this: Duplex): void {
  this.destroy();
}

/** Callbacks for the end of a handshake. */
interface HandshakeEnd {
  onHandshake(request: IncomingMessage, accept: () => void): void;
  onRefused(status: number): void;
}

function newServer({ commands, options }: SocketServerRequest, end: HandshakeEnd): WebSocketServer {
  return new WebSocketServer({
    ...LIMITS,
    handleProtocols: commands ? sessionProtocol : firstProtocol,
    ...options,
    // Closing the server must find its clients.
    clientTracking: true,
    WebSocket: ClientSocket,
    verifyClient: verifierOf(options.verifyClient, end),
  });
}

/**
 * First `ws` checks the handshake, then the gateway's own check runs, and admission last, so that a session is opened
 * only for a handshake that can be completed.
 */
function verifierOf(own: ServerOptions['verifyClient'], end: HandshakeEnd): VerifyClientCallbackAsync {
  return (info, done) => {
    const verified: typeof done = (isFit, status = 401, ...answer) => {
      if (isFit) return end.onHandshake(info.req, () => done(true));
      end.onRefused(status);
      done(false, status, ...answer);
    };
    if (!own) verified(true);
    // In the forms that `ws` knows.
    else if (own.length === 2) (own as VerifyClientCallbackAsync)(info, verified);
    else verified((own as VerifyClientCallbackSync)(info));
  };
}

/** Answers with the fault that `ws` found. */
function handshakeRefusal({ method, headers }: IncomingMessage, { message }: Error): UpgradeRefusal {
  if (method !== 'GET') return new UpgradeRefusal(405, message, ['Allow: GET']);
  const isSpoken = ['13', '8'].includes(headers['sec-websocket-version'] ?? '');
  return new UpgradeRefusal(400, message, isSpoken ? [] : ['Sec-WebSocket-Version: 13, 8']);
}

// Tokens among the subprotocols are never echoed.
const sessionProtocol = (offered: Set<string>): string | false => offered.has(SUBPROTOCOL) && SUBPROTOCOL;

/** Prefixes of secrets. */
const SECRETS = [TOKEN_PREFIX, TOKEN64_PREFIX, RESUME_PREFIX];

/** The default of `ws`. */
const firstProtocol = (offered: Set<string>): string | false =>
  [...offered].find((name) => !SECRETS.some((prefix) => name.startsWith(prefix))) ?? false;

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

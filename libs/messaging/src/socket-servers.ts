import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import { SUBPROTOCOL } from '@wss/protocol';
import { ClientSocket } from './client-socket.js';
import { MAX_FRAME_BYTES } from './limits.js';
import { refuseUpgrade } from './upgrade-refusal.js';

/** A WebSocket server of one port and path. */
export interface SocketServer {
  readonly server: WebSocketServer;
  readonly port: number;
  /** Absent: every path of the port. */
  readonly path?: string;
}

/** Takes over a request whose path has a server. */
export type UpgradeHandler = (
  target: SocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  url: URL,
) => void;

/** Default limits of every server; a gateway's own options come after them. */
// `closeTimeout` and `maxFragments` are newer than the published types.
const LIMITS: ServerOptions & { closeTimeout: number; maxFragments: number } = {
  noServer: true,
  maxPayload: MAX_FRAME_BYTES,
  // Tokens among the subprotocols are never echoed.
  handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  maxFragments: 1_024,
  closeTimeout: 5_000,
  clientTracking: true,
};

/** Which WebSocket server serves which port and path; the one table of the adapter. */
export class SocketServers {
  private readonly servers: SocketServer[] = [];
  private readonly listeners = new Map<
    HttpServer,
    (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  >();
  private readonly own = new Map<number, HttpServer>();

  constructor(private readonly onUpgrade: UpgradeHandler) {}

  /** Adds a server on the application's HTTP server. */
  attach(httpServer: HttpServer, path: string, options: ServerOptions): SocketServer {
    this.listen(httpServer, 0);
    return this.add({ server: newServer(options), port: 0, path });
  }

  /** Adds a server on a port of its own; several paths may share it. */
  open(port: number, path: string | undefined, options: ServerOptions): SocketServer {
    let httpServer = this.own.get(port);
    if (!httpServer) {
      httpServer = createServer((_request, response) => response.writeHead(426).end());
      this.own.set(port, httpServer);
      this.listen(httpServer, port);
      httpServer.listen(port);
    }
    return this.add({ server: newServer(options), port, ...(path !== undefined && { path }) });
  }

  /** Takes a server out and closes it; its clients are cut. */
  async close(server: WebSocketServer): Promise<void> {
    const index = this.servers.findIndex((entry) => entry.server === server);
    if (index >= 0) this.servers.splice(index, 1);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const client of server.clients) client.terminate();
    await closed;
  }

  /** Lets go of every HTTP server: those of the adapter are closed, the application's own is left as it was. */
  async dispose(): Promise<void> {
    for (const [httpServer, listener] of this.listeners) httpServer.off('upgrade', listener);
    this.listeners.clear();
    await Promise.all(
      [...this.own.values()].map((server) => new Promise((resolve) => server.close(resolve))),
    );
    this.own.clear();
    this.servers.length = 0;
  }

  private add(entry: SocketServer): SocketServer {
    // Nest and its users read this property.
    Object.assign(entry.server, { path: entry.path });
    this.servers.push(entry);
    return entry;
  }

  private listen(httpServer: HttpServer, port: number): void {
    if (this.listeners.has(httpServer)) return;
    const listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      socket.on('error', () => socket.destroy());
      const url = urlOf(request);
      if (!url) return refuseUpgrade(socket, 400, 'the request has no valid URL');
      const target = this.servers.find(
        (entry) => entry.port === port && (entry.path === undefined || entry.path === url.pathname),
      );
      if (!target) return refuseUpgrade(socket, 404, 'no WebSocket here');
      this.onUpgrade(target, request, socket, head, url);
    };
    httpServer.on('upgrade', listener);
    this.listeners.set(httpServer, listener);
  }
}

function newServer(options: ServerOptions): WebSocketServer {
  return new WebSocketServer({ ...LIMITS, ...options, WebSocket: ClientSocket });
}

function urlOf(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? '/', 'ws://node');
  } catch {
    return undefined;
  }
}

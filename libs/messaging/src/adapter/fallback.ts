import { Logger, type WebSocketAdapter, type WsMessageHandler } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { GatewayDeclaration } from './gateway-hooks.js';
import { FallbackPlaces, placeKey } from './fallback-places.js';

/** An adapter for the gateways that need socket.io: an `IoAdapter`, or a class that extends it. */
export interface FallbackAdapter extends WebSocketAdapter {
  forceCloseConnections?: boolean;
  dispose?(): Promise<void> | void;
}

type FallbackOptions = Readonly<Record<string, unknown>>;

/** Takes the gateways that ask for socket.io, with their servers and clients, to an adapter that knows it. */
export class Fallback {
  private readonly places: FallbackPlaces;
  /** The server of each port and path; those of namespaces belong to it. */
  private readonly bases = new Map<string, unknown>();
  private readonly servers = new WeakSet<object>();

  /** @throws Error when it and this adapter would serve one path, or one port of its own */
  constructor(
    private readonly adapter: FallbackAdapter,
    gateways: readonly GatewayDeclaration[],
  ) {
    this.places = new FallbackPlaces(gateways);
    for (const line of this.places.assignment()) new Logger('WsAdapter').log(line);
  }

  /** True if the gateway is not for `ws`. */
  serves(gateway: GatewayDeclaration): boolean {
    return this.places.serves(gateway);
  }

  /** True if Nest asks for a server of this adapter. For the server under a namespace it tells no namespace. */
  isAskedFor(port: number, options: FallbackOptions): boolean {
    return Boolean(options.namespace) || this.places.isOwned(port, options.path);
  }

  /** True if it made the server. */
  made(server: object): boolean {
    return this.servers.has(server);
  }

  create(port: number, { server: _server, namespace, ...options }: FallbackOptions): object {
    const base = this.baseAt(port, options);
    if (!namespace) return base;
    return this.noted(this.adapter.create(port, { ...options, namespace, server: base }) as object);
  }

  bindClientConnect(server: object, callback: (...args: unknown[]) => void): void {
    this.adapter.bindClientConnect(server, callback);
  }

  bindClientDisconnect(client: unknown, callback: (reason: unknown) => void): void {
    this.adapter.bindClientDisconnect?.(client, callback);
  }

  bindMessageHandlers(
    client: unknown,
    handlers: WsMessageHandler[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    this.adapter.bindMessageHandlers(client, handlers, transform);
  }

  set forceCloseConnections(value: boolean) {
    this.adapter.forceCloseConnections = value;
  }

  async close(server: object): Promise<void> {
    for (const [key, base] of this.bases) if (base === server) this.bases.delete(key);
    await this.adapter.close(server);
  }

  async dispose(): Promise<void> {
    // Nest does not know the server under a namespace if another gateway of the path has one of `ws`.
    await Promise.all([...this.bases.values()].map((base) => this.close(base as object)));
    await this.adapter.dispose?.();
  }

  private baseAt(port: number, options: FallbackOptions): object {
    const key = placeKey(port, options.path);
    const known = this.bases.get(key);
    if (known) return known as object;
    // Else engine.io ends each upgrade of another path that nobody has answered within a second.
    const isShared = port === 0;
    const made = this.adapter.create(port, isShared ? { ...options, destroyUpgrade: false } : options);
    const base = this.noted(made as object);
    this.bases.set(key, base);
    if (isShared) warnOfLostOptions(base);
    return base;
  }

  private noted(server: object): object {
    this.servers.add(server);
    return server;
  }
}

/** Warns if a class that extends `IoAdapter` did not pass its options on. */
function warnOfLostOptions(server: { engine?: { opts?: FallbackOptions } }): void {
  const options = server.engine?.opts;
  if (!options || options.destroyUpgrade === false) return;
  new Logger('WsAdapter').warn(
    'the fallback adapter drops the options that it is given, so socket.io ends each upgrade of another path that takes more than a second; pass `options` on in createIOServer()',
  );
}

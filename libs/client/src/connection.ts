import { mayReconnect, RESUME_PREFIX, SUBPROTOCOL, TOKEN_PREFIX } from '@wss/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import { Emitter } from './emitter.js';
import { WssError } from './errors.js';
import { onPageChange, worthConnecting } from './page.js';
import type { SocketConstructor, SocketLike } from './types.js';

/** What the connection is doing. */
export type Status =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /** It was lost; another attempt follows, or waits for the page to be online and visible. */
  | { readonly state: 'waiting'; readonly inMs?: number; readonly code?: number }
  /** It is over: by {@link WssClient.close}, or because the server said so. */
  | { readonly state: 'closed'; readonly error?: WssError };

/** How to connect. */
export interface ConnectionOptions {
  /** Whether to ask for a session. Default yes; not for a plain Nest gateway. */
  readonly session?: boolean;
  /** An access token, or where to fetch one before each attempt. */
  readonly token?: string | (() => string | Promise<string>);
  /** A server that does not greet us within this time is none of ours, ms. Default 10,000. */
  readonly greetWithinMs?: number;
  readonly backoff?: BackoffOptions;
  /** Default: the global `WebSocket`; in Node before 22 that of the `ws` package. */
  readonly WebSocket?: SocketConstructor;
}

/** Told of what happens on the wire. */
export interface WireListener {
  opened(): void;
  frame(frame: Record<string, unknown>): void;
  /** The connection is gone; it may come back. */
  lost(): void;
  /** It will not come back. */
  ended(error: WssError): void;
}

/** Keeps one WebSocket open, as long as that makes sense. */
export class Connection {
  readonly statuses = new Emitter<Status>();
  status: Status = { state: 'connecting' };
  /** Resumes the session on the next connection. */
  resumeToken?: string;

  private socket?: SocketLike;
  private timer?: ReturnType<typeof setTimeout>;
  private openedAt = 0;
  private readonly backoff: Backoff;

  constructor(
    private readonly url: string,
    private readonly options: ConnectionOptions,
    private readonly listener: WireListener,
  ) {
    this.backoff = new Backoff(options.backoff ?? {});
    onPageChange(() => this.retryNow());
    void this.connect();
  }

  get isOpen(): boolean {
    return this.status.state === 'open';
  }

  send(frame: object): void {
    this.socket!.send(JSON.stringify(frame));
  }

  /** The server is one of ours. */
  greeted(): void {
    clearTimeout(this.timer);
  }

  /** Uses the server's advice for the next reconnect, ms. */
  advise(ms: number): void {
    this.backoff.advise(ms);
  }

  /** Ends the connection for good. */
  close(error?: WssError): void {
    if (this.status.state === 'closed') return;
    clearTimeout(this.timer);
    const { socket } = this;
    delete this.socket;
    this.setStatus(error ? { state: 'closed', error } : { state: 'closed' });
    socket?.close(1000);
    this.listener.ended(error ?? new WssError('closed', 'the client was closed'));
  }

  private retryNow(): void {
    if (this.status.state !== 'waiting' || !worthConnecting()) return;
    clearTimeout(this.timer);
    void this.connect();
  }

  private async connect(): Promise<void> {
    this.setStatus({ state: 'connecting' });
    try {
      const protocols = await this.protocols();
      if (this.status.state !== 'connecting') return;
      this.use(this.open(protocols));
    } catch (error) {
      if (error instanceof WssError) this.close(error);
      else this.wait();
    }
  }

  private open(protocols: string[]): SocketLike {
    const WebSocket = this.options.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (!WebSocket) {
      throw new WssError(
        'bad_url',
        'there is no WebSocket here: pass the one of the "ws" package as option "WebSocket"',
      );
    }
    try {
      return new WebSocket(this.url, protocols.length > 0 ? protocols : undefined);
    } catch (error) {
      throw new WssError('bad_url', `no WebSocket can be opened at this URL: ${(error as Error).message}`);
    }
  }

  private async protocols(): Promise<string[]> {
    const { session = true, token } = this.options;
    const value = typeof token === 'function' ? await token() : token;
    return [
      ...(session ? [SUBPROTOCOL] : []),
      ...(session && this.resumeToken ? [RESUME_PREFIX + this.resumeToken] : []),
      ...(value ? [TOKEN_PREFIX + value] : []),
    ];
  }

  private use(socket: SocketLike): void {
    this.socket = socket;
    const mine = (): boolean => this.socket === socket;
    socket.addEventListener('open', () => mine() && this.onOpen(socket));
    socket.addEventListener('message', ({ data }: { data: unknown }) => mine() && this.onMessage(data));
    socket.addEventListener(
      'error',
      (event: { message?: string }) => mine() && this.onError(event.message ?? ''),
    );
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => {
      if (mine()) this.onClose(code, reason);
    });
  }

  private onOpen(socket: SocketLike): void {
    if (this.options.session !== false) {
      if (socket.protocol !== SUBPROTOCOL) return this.close(otherServer());
      // Some servers accept any subprotocol; only ours greets.
      this.timer = setTimeout(() => this.close(otherServer()), this.options.greetWithinMs ?? 10_000);
    }
    this.openedAt = Date.now();
    this.setStatus({ state: 'open' });
    this.listener.opened();
  }

  private onMessage(data: unknown): void {
    let frame: unknown;
    try {
      frame = JSON.parse(String(data));
    } catch {
      frame = undefined;
    }
    if (typeof frame === 'object' && frame !== null) this.listener.frame(frame as Record<string, unknown>);
    else
      this.close(
        new WssError('bad_server_frame', 'the server sent something that is no frame of the protocol'),
      );
  }

  /** Only the `ws` package tells why an upgrade was refused; a browser never does. */
  private onError(message: string): void {
    const status = /Unexpected server response: (\d+)/.exec(message)?.[1];
    const refusal = status === undefined ? undefined : REFUSALS[status];
    if (refusal) this.close(refusal());
  }

  private onClose(code: number, reason: string): void {
    delete this.socket;
    clearTimeout(this.timer);
    if (this.openedAt > 0) {
      this.backoff.held(Date.now() - this.openedAt);
      this.openedAt = 0;
      this.listener.lost();
    }
    if (mayReconnect(code)) this.wait(code);
    else this.close(new WssError('refused', `the server closed the connection: ${code} ${reason}`));
  }

  private wait(code?: number): void {
    const inMs = this.backoff.next();
    const known = code === undefined ? {} : { code };
    if (!worthConnecting()) return this.setStatus({ state: 'waiting', ...known });
    this.setStatus({ state: 'waiting', inMs, ...known });
    this.timer = setTimeout(() => (worthConnecting() ? void this.connect() : undefined), inMs);
  }

  private setStatus(status: Status): void {
    this.status = status;
    this.statuses.emit(status);
  }
}

/** Refusals after which the same attempt can't succeed. */
const REFUSALS: Readonly<Record<string, () => WssError>> = {
  400: () => new WssError('version', 'the server speaks no version of the protocol that this client speaks'),
  401: () => new WssError('unauthenticated', 'the token was refused; fetch a new one'),
  403: () => new WssError('forbidden', 'the server does not let this origin or user connect'),
  404: () => new WssError('bad_url', 'there is no WebSocket at this path of the server'),
};

function otherServer(): WssError {
  return new WssError(
    'version',
    `the server does not speak ${SUBPROTOCOL}; for a plain gateway use { session: false }`,
  );
}

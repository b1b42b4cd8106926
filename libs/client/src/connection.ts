import { type ErrorCode, mayReconnect, RESUME_PREFIX, SUBPROTOCOL, TOKEN_PREFIX } from '@wss/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import { Emitter } from './emitter.js';
import { type ClientErrorCode, WssError } from './errors.js';
import { onPageChange, worthConnecting } from './page.js';
import type { SocketConstructor, SocketLike } from './types.js';

/** What the connection is doing. */
export type Status =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /**
   * There is none; another attempt follows `inMs` milliseconds later, without it when the page is online and visible.
   * `code` is the close code, `error` tells why no connection came about.
   */
  | { readonly state: 'waiting'; readonly inMs?: number; readonly code?: number; readonly error?: WssError }
  /** It is over: by {@link WssClient.close}, or for the reason in `error`. */
  | { readonly state: 'closed'; readonly error?: WssError };

/** How to connect. */
export interface ConnectionOptions {
  /** Whether to ask for a session. Default yes; not for a plain Nest gateway. */
  readonly session?: boolean;
  /** An access token, or where to fetch one: asked before each attempt and by {@link WssClient.refreshToken}. */
  readonly token?: string | (() => string | Promise<string>);
  /**
   * An attempt to connect is given up and made again when the server has let us in and does not greet us within this
   * time, ms, or does not answer for three times as long; one that has never greeted us is none of ours: then it is
   * over. Default 10,000.
   */
  readonly greetWithinMs?: number;
  readonly backoff?: BackoffOptions;
  /** Default: the global `WebSocket`; Node has one from version 22, before that give the one of the package `ws`. */
  readonly WebSocket?: SocketConstructor;
}

/**
 * Told of what happens on the wire.
 * @internal
 */
export interface WireListener {
  opened(): void;
  frame(frame: Record<string, unknown>): void;
  /** The connection is gone; it may come back. */
  disconnected(): void;
  /** It will not come back. */
  ended(error: WssError): void;
}

/**
 * Keeps one WebSocket open, as long as that makes sense.
 * @internal
 */
export class Connection {
  readonly changes = new Emitter<Status>();
  current: Status = { state: 'connecting' };
  readonly waits: Backoff;

  /** Resumes the session on the next connection. */
  private resumeToken?: string;
  private socket?: SocketLike;
  private timer?: ReturnType<typeof setTimeout>;
  private openedAt = 0;
  /** How often in a row the heartbeat found that nothing had come. */
  private silences = 0;
  private readonly end = new AbortController();

  constructor(
    private readonly url: string,
    private readonly settings: ConnectionOptions,
    private readonly listener: WireListener,
  ) {
    this.waits = new Backoff(settings.backoff ?? {});
    onPageChange(() => this.retryNow(), this.end.signal);
    void this.connect();
  }

  get isOpen(): boolean {
    return this.current.state === 'open';
  }

  send(frame: object): void {
    this.socket!.send(JSON.stringify(frame));
  }

  /** The server is one of ours; from now on silence is a fault. */
  greeted(resumeToken: string, heartbeatMs: number): void {
    this.resumeToken = resumeToken;
    clearTimeout(this.timer);
    this.silences = 0;
    this.timer = setInterval(() => this.beat(), heartbeatMs);
  }

  /** The token to show now. */
  async fetchToken(): Promise<string | undefined> {
    const { token } = this.settings;
    try {
      return typeof token === 'function' ? await token() : token;
    } catch (error) {
      throw new WssError('no_token', `the token callback failed: ${(error as Error)?.message}`, true);
    }
  }

  /** Ends the connection for good. */
  finish(error?: WssError): void {
    if (this.current.state === 'closed') return;
    clearTimeout(this.timer);
    this.end.abort();
    const { socket } = this;
    delete this.socket;
    this.setStatus({ state: 'closed', error });
    this.changes.end();
    socket?.close(1000);
    this.listener.ended(error ?? new WssError('closed', 'the client was closed'));
  }

  /** The page is back; only the server's own advice is still obeyed. */
  private retryNow(): void {
    if (this.current.state === 'waiting') this.connectIn(Math.max(0, this.waits.notBefore - Date.now()));
  }

  private connectIn(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (worthConnecting()) void this.connect();
    }, ms);
  }

  private async connect(): Promise<void> {
    this.setStatus({ state: 'connecting' });
    try {
      const protocols = await this.protocols();
      if (this.current.state === 'connecting') this.use(this.open(protocols));
    } catch (error) {
      if (this.current.state !== 'connecting') return;
      if ((error as WssError).retry) this.wait({ error: error as WssError });
      else this.finish(error as WssError);
    }
  }

  private open(protocols: string[]): SocketLike {
    const WebSocket = this.settings.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (!WebSocket) {
      throw new WssError('bad_url', 'no WebSocket here: use "ws"');
    }
    try {
      return new WebSocket(this.url, protocols);
    } catch (error) {
      throw new WssError('bad_url', `no WebSocket can use this URL: ${(error as Error).message}`);
    }
  }

  private async protocols(): Promise<string[]> {
    const { session = true } = this.settings;
    const token = await this.fetchToken();
    return [
      ...(session ? [SUBPROTOCOL] : []),
      ...(session && this.resumeToken ? [RESUME_PREFIX + this.resumeToken] : []),
      ...(token ? [TOKEN_PREFIX + token] : []),
    ];
  }

  /** The handlers stay when we are done with a socket: `ws` throws errors that nobody listens to. */
  private use(socket: SocketLike): void {
    this.socket = socket;
    this.expectProgress(3);
    const ifMine =
      <Event>(handle: (event: Event) => void) =>
      (event: Event) =>
        this.socket === socket && handle(event);
    socket.onopen = ifMine(() => this.onOpen(socket));
    socket.onmessage = ifMine(({ data }: { data: unknown }) => this.onMessage(data));
    socket.onerror = ifMine(({ message }: { message?: string }) => this.onFault(message ?? ''));
    socket.onclose = ifMine(({ code, reason }: { code: number; reason: string }) =>
      this.onClose(code, reason),
    );
  }

  private onOpen(socket: SocketLike): void {
    this.openedAt = Date.now();
    // Some servers accept any subprotocol; only ours greets.
    if (this.settings.session === false) clearTimeout(this.timer);
    else if (socket.protocol === SUBPROTOCOL) this.expectProgress(1);
    else return this.finish(new WssError(...OTHER_SERVER));
    this.setStatus({ state: 'open' });
    this.listener.opened();
  }

  private onMessage(data: unknown): void {
    this.silences = 0;
    try {
      this.listener.frame(JSON.parse(data as string) as Record<string, unknown>);
    } catch {
      this.finish(new WssError('bad_server_frame', 'the server sent bad frames'));
    }
  }

  /** Browsers do not show the server's ping frames, so a link that went dead is found by asking. */
  private beat(): void {
    if (++this.silences === 1) this.send({ event: '$ping', id: 0 });
    else this.giveUp();
  }

  private giveUp(): void {
    const { socket } = this;
    this.onClose(4409, '');
    socket!.close();
  }

  /** Bounds the wait for the server's next step on the way to its greeting; a node with many to let in takes longer. */
  private expectProgress(times: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => {
        if (this.resumeToken || !this.openedAt) this.giveUp();
        else this.finish(new WssError(...OTHER_SERVER));
      },
      times * (this.settings.greetWithinMs ?? 10_000),
    );
  }

  /** Only the `ws` package tells why an upgrade was refused; a browser never does. */
  private onFault(message: string): void {
    const status = /subprotocol/.test(message) ? '400' : (/response: (\d+)/.exec(message)?.[1] ?? '');
    const refusal = REFUSALS[status] ?? (/^[23]/.test(status) ? REFUSALS[404] : undefined);
    if (refusal) this.finish(new WssError(...refusal));
  }

  private onClose(code: number, reason: string): void {
    delete this.socket;
    clearTimeout(this.timer);
    const { openedAt } = this;
    this.openedAt = 0;
    if (!mayReconnect(code)) {
      return this.finish(new WssError('refused', `the server closed the connection: ${code} ${reason}`));
    }
    if (openedAt > 0) {
      this.waits.held(Date.now() - openedAt);
      this.wait({ code });
      this.listener.disconnected();
    } else this.wait({ code, error: new WssError('unreachable', UNREACHABLE, true) });
  }

  private wait(why: { code?: number; error?: WssError }): void {
    const inMs = this.waits.next();
    this.connectIn(inMs);
    this.setStatus({ state: 'waiting', ...(worthConnecting() && { inMs }), ...why });
  }

  private setStatus(status: Status): void {
    this.current = status;
    this.changes.emit(status);
  }
}

const OTHER_SERVER = [
  'version',
  `the server does not speak ${SUBPROTOCOL}: update it or this client; a plain gateway needs { session: false }`,
] as const;

const UNREACHABLE = 'no connection: check URL, token, server';

/** Refusals after which the same attempt can't succeed. */
const REFUSALS: Readonly<Record<string, readonly [ClientErrorCode | ErrorCode, string]>> = {
  400: OTHER_SERVER,
  401: ['unauthenticated', 'the token was refused: sign in again'],
  403: ['forbidden', 'the server does not let this origin connect'],
  404: ['bad_url', 'no WebSocket is served at this URL: correct it'],
};

import { mayReconnect, REFUSALS_SUBPROTOCOL, RESUME_PREFIX, SUBPROTOCOL } from '@wss/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import { now, Timer } from './clock.js';
import { Changing } from './emitter.js';
import { WssError } from './errors.js';
import { onPageChange, pageState } from './page.js';
import { Pending } from './requests.js';
import { checkToken, tokenProtocol } from './protocols.js';
import { otherServer, refusalOf, statusOfClose } from './refusals.js';
import type { DebugListener, SocketConstructor, SocketLike, UpgradeListener } from './types.js';

/** State of the connection. */
export type Status =
  /** An attempt is under way. */
  | { readonly state: 'connecting' }
  /** There is a connection. */
  | { readonly state: 'open' }
  /**
   * There is none; another attempt follows `inMs` milliseconds later, without it when the page is shown again.
   * `code` is the close code, `error` tells why no connection came about.
   */
  | { readonly state: 'waiting'; readonly inMs?: number; readonly code?: number; readonly error?: WssError }
  /** It is over: by {@link WssClient.close}, or for the reason in `error`. */
  | { readonly state: 'closed'; readonly error?: WssError };

/** How to connect. */
export interface ConnectionOptions {
  /** Asks for a session. Default yes; set it to false for a plain Nest gateway. */
  readonly session?: boolean;
  /**
   * An access token, or where to fetch one: asked before each attempt and by {@link WssClient.refreshToken}. It may
   * have any characters and at most 8,192 bytes. One that is refused is fetched anew once before that is final.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** How long the token callback may take, ms; then it is asked again. Default 10,000. */
  readonly tokenWithinMs?: number;
  /**
   * Time within which a server that accepts the connection must greet us, ms; one that does not answer at all has three
   * times as long. After that the attempt is given up and made again. Default 10,000.
   */
  readonly greetWithinMs?: number;
  /** Behavior of a hidden page without a connection: `reconnect` (default), or `wait` until it is shown again. */
  readonly whileHidden?: 'reconnect' | 'wait';
  /** How long to wait between attempts. */
  readonly backoff?: BackoffOptions;
  /** Default: the global `WebSocket`; Node has one from version 22, before that give the one of the package `ws`. */
  readonly WebSocket?: SocketConstructor;
  /** Gets every frame and every decision; without it they cost nothing. Tokens are left out. */
  readonly debug?: DebugListener;
}

/**
 * Listener to the events of the wire.
 * @internal
 */
export interface WireListener {
  opened(): void;
  take(frame: Record<string, unknown>): void;
  /** The connection is gone; it may come back. */
  disconnected(): void;
  /** It will not come back. */
  ended(error: WssError): void;
  /** The connection is to be asked for a sign of life. */
  beat(): void;
}

/** When the page came back or its network changed, a link that is alive answers within this time, ms. */
const PROBE_MS = 3_000;

/**
 * Keeps one WebSocket open, as long as that makes sense.
 * @internal
 */
export class Connection {
  readonly progress: Changing<Status>;
  readonly waits: Backoff;

  /** Resumes the session on the next connection. */
  private resumeToken?: string;
  private socket?: SocketLike;
  /** Bounds the present attempt, ends the present wait, or keeps the present connection. */
  private readonly timer = new Timer();
  private readonly probeTimer = new Timer();
  /** Number of the present attempt; results of an earlier one are discarded. */
  private attempt = 0;
  /** On the steady clock; 0 while there is no connection. */
  private openedAt = 0;
  /** True once the server has greeted us on this connection; before that, no numbered command may go out. */
  isGreeted?: boolean;
  private beatMs = 0;
  /** How often in a row the heartbeat found that nothing had come. */
  private silences = 0;
  private tokensRefused = 0;
  private readonly end = new AbortController();

  constructor(
    private readonly url: string,
    private readonly settings: ConnectionOptions,
    private readonly listener: WireListener,
  ) {
    this.progress = new Changing<Status>({ state: 'connecting' }, settings.debug);
    this.waits = new Backoff(settings.backoff ?? {});
    onPageChange(() => this.pageChanged(), this.end.signal);
    void this.connect();
  }

  get isOpen(): boolean {
    return this.openedAt > 0;
  }

  write(frame: object): void {
    const text = JSON.stringify(frame);
    this.settings.debug?.('sent', withoutToken(text));
    this.socket?.send(text);
  }

  /** The server is one of ours; from now on silence is a fault. */
  greeted(resumeToken: string, heartbeatMs: number): void {
    this.resumeToken = resumeToken;
    this.isGreeted = true;
    this.tokensRefused = 0;
    this.beatMs = heartbeatMs;
    this.beatLater();
  }

  /** The session is over: another connection opens a new one. */
  startAnew(): void {
    delete this.resumeToken;
    this.giveUp();
  }

  /**
   * The token to show now.
   * @throws WssError `no_token` when there is none, `bad_token` when it can't be sent
   */
  async fetchToken(): Promise<string | undefined> {
    const { token, tokenWithinMs = 10_000 } = this.settings;
    if (typeof token !== 'function') return token && checkToken(token);
    const asked = new Pending<string>({ timeoutMs: tokenWithinMs });
    asked.sent();
    Promise.resolve().then(token).then(asked.fulfil, asked.fail);
    const fetched = await asked.promise.catch((error: unknown) => {
      throw new WssError('no_token', `token: ${(error as Error)?.message}`, true);
    });
    return fetched && checkToken(fetched);
  }

  /** Ends the connection for good. */
  finish(error?: WssError): void {
    if (this.is('closed')) return;
    this.end.abort();
    const socket = this.letGo();
    this.progress.become({ state: 'closed', error });
    this.progress.finish();
    socket?.close(1000);
    this.listener.ended(error ?? new WssError('closed', 'client closed'));
  }

  private is(state: Status['state']): boolean {
    return this.progress.current.state === state;
  }

  /** The page came back, or its network changed: an open connection may be dead, and a failed one may succeed now. */
  private pageChanged(): void {
    const { isHidden, isOffline } = pageState();
    if (this.is('waiting') && !isHidden && !isOffline) this.connectIn(this.waits.notBefore - now());
    else if (this.isGreeted) this.probe();
    else if (this.socket && this.hasSession) this.timer.schedule(PROBE_MS, () => this.linkLost());
  }

  /** True if the server is asked to keep a session for us. */
  get hasSession(): boolean {
    return this.settings.session !== false;
  }

  private connectIn(ms: number): void {
    this.timer.schedule(ms, () => void this.connect());
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    this.progress.become({ state: 'connecting' });
    try {
      const protocols = await this.protocols();
      if (attempt === this.attempt) this.use(this.open(protocols));
    } catch (error) {
      if (attempt === this.attempt) this.failed(error as WssError);
    }
  }

  private open(protocols: string[]): SocketLike {
    const { WebSocket = globalThis.WebSocket } = this.settings as { WebSocket?: SocketConstructor };
    try {
      return new WebSocket(this.url, protocols);
    } catch (error) {
      throw new WssError('bad_url', WebSocket ? (error as Error).message : 'no WebSocket');
    }
  }

  private async protocols(): Promise<string[]> {
    const token = await this.fetchToken();
    const shown = token ? [tokenProtocol(token)] : [];
    if (!this.hasSession) return shown;
    const resume = this.resumeToken ? [RESUME_PREFIX + this.resumeToken] : [];
    return [SUBPROTOCOL, ...resume, ...shown, REFUSALS_SUBPROTOCOL];
  }

  /** The handlers stay when we are done with a socket: `ws` throws errors that nobody listens to. */
  private use(socket: SocketLike): void {
    this.socket = socket;
    // A node with many to let in takes longer.
    this.timer.schedule(3 * this.patienceMs, () => this.giveUp());
    const ifMine =
      <Args extends unknown[]>(handle: (...args: Args) => void) =>
      (...args: Args) =>
        this.socket === socket && handle(...args);
    socket.onopen = ifMine(() => this.onOpen(socket));
    socket.onmessage = ifMine(({ data }: { data: unknown }) => this.onMessage(data));
    socket.onerror = ifMine(({ message }: { message?: string }) => this.onFault(message));
    socket.onclose = ifMine(({ code, reason }: { code: number; reason: string }) =>
      this.onClose(code, reason),
    );
    const onResponse: UpgradeListener = (_request, response) => this.onResponse(response);
    (socket.on as SocketOn | undefined)?.call(socket, 'unexpected-response', ifMine(onResponse));
  }

  private get patienceMs(): number {
    return this.settings.greetWithinMs ?? 10_000;
  }

  private onOpen({ protocol }: SocketLike): void {
    // We are refused: the close code that follows says why.
    if (this.hasSession && protocol === REFUSALS_SUBPROTOCOL) return;
    // Some servers accept any subprotocol; only ours greets.
    if (this.hasSession && protocol !== SUBPROTOCOL) return this.finish(otherServer());
    this.openedAt = now();
    this.timer.cancel();
    if (this.hasSession)
      this.timer.schedule(this.patienceMs, () => this.giveUp(otherServer('unreachable', true)));
    this.progress.become({ state: 'open' });
    if (this.isOpen) this.listener.opened();
  }

  private onMessage(data: unknown): void {
    this.silences = 0;
    this.probeTimer.cancel();
    try {
      this.settings.debug?.('received', withoutToken(data as string));
      this.listener.take(JSON.parse(data as string) as Record<string, unknown>);
    } catch {
      this.finish(new WssError('bad_server_frame', 'bad frame'));
    }
  }

  /** Browsers do not show the server's ping frames, so a link that went dead is found by asking. */
  private beat(): void {
    if (this.silences++ > 0) return this.giveUp();
    this.listener.beat();
    this.beatLater();
  }

  private beatLater(): void {
    this.timer.schedule(this.beatMs, () => this.beat());
  }

  private probe(): void {
    if (this.probeTimer.isSet) return;
    this.listener.beat();
    this.probeTimer.schedule(PROBE_MS, () => this.linkLost());
  }

  /** The network is another one: that the link is dead says nothing of the next. */
  private linkLost(): void {
    this.waits.advise(0);
    this.giveUp();
  }

  private giveUp(error?: WssError): void {
    const { socket } = this;
    this.onClose(4409, '', error);
    socket?.close();
  }

  /** Only the `ws` package tells of an HTTP status. */
  private onResponse({ statusCode, headers }: Parameters<UpgradeListener>[1]): void {
    this.waits.advise(Number(headers['retry-after']) * 1_000);
    this.giveUp(refusalOf(statusCode));
  }

  private onFault(message = ''): void {
    if (/subprotocol/.test(message)) this.finish(otherServer());
  }

  private onClose(code: number, reason: string, known?: WssError): void {
    const { openedAt } = this;
    this.letGo();
    if (openedAt) {
      this.waits.held(now() - openedAt);
      this.listener.disconnected();
    }
    this.failed(known ?? closeError(code, reason, openedAt > 0), code);
  }

  /** A token may be newer than the keys that the server knows: a fresh one is tried before its refusal is final. */
  private failed(error: WssError | undefined, code?: number): void {
    const { token, whileHidden } = this.settings;
    const mayRenew =
      error?.code === 'unauthenticated' && typeof token === 'function' && this.tokensRefused++ < 1;
    if (error && !error.retry && !mayRenew) return this.finish(error);
    if (this.is('closed')) return;
    const page = pageState();
    const isParked = page.isHidden && whileHidden === 'wait';
    const inMs = this.waits.next(page, error);
    this.progress.become({ state: 'waiting', inMs: isParked ? undefined : inMs, code, error });
    if (isParked || !this.is('waiting')) return;
    if (inMs > 0) this.connectIn(inMs);
    else void this.connect();
  }

  /** Whatever comes from the socket or was begun with it is of no use any more. */
  private letGo(): SocketLike | undefined {
    const { socket } = this;
    delete this.socket;
    this.attempt++;
    this.openedAt = 0;
    this.silences = 0;
    this.isGreeted = false;
    this.timer.cancel();
    this.probeTimer.cancel();
    return socket;
  }
}

type SocketOn = (event: 'unexpected-response', listener: UpgradeListener) => void;

/** Takes tokens out of a frame's text, so that a debugger may see it. */
const withoutToken = (text: string): string => text.replace(/"token":"[^"]*"/, '"token":"…"');

/** Why there is no connection; undefined when one was lost that may come back. */
function closeError(code: number, reason: string, wasOpen: boolean): WssError | undefined {
  const refusal = wasOpen ? undefined : refusalOf(statusOfClose(code), reason);
  if (refusal || !mayReconnect(code)) return refusal ?? new WssError('refused', `closed: ${code} ${reason}`);
  return wasOpen ? undefined : new WssError('unreachable', 'no connection', true);
}

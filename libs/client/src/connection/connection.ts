import { mayReconnect, REFUSALS_SUBPROTOCOL, RESUME_PREFIX, SUBPROTOCOL } from '@wss/protocol';
import { Backoff, type BackoffOptions } from '../time/backoff.js';
import { now, Timer } from '../time/clock.js';
import { callDue, Changing, trace } from '../values/emitter.js';
import { WssError } from '../values/errors.js';
import { onPageChange, pageState } from '../time/page.js';
import { Pending } from './requests.js';
import { checkToken, tokenProtocol } from './protocols.js';
import { otherServer, refusalOf, statusOfClose } from './refusals.js';
import type { DebugListener, SocketConstructor, SocketLike, UpgradeListener } from '../values/types.js';

/** State of the connection. */
export type Status =
  /** An attempt is under way. */
  | { readonly state: 'connecting' }
  /** There is a connection. */
  | { readonly state: 'open' }
  /**
   * There is no connection; another attempt follows `inMs` milliseconds later, or without `inMs` when the page is
   * shown again. `code` is the close code, `error` the reason for which no connection came about.
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
   * have any characters and at most 15,360 bytes. One that is refused is fetched anew once before that is final.
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
  /** Frames may be sent from now on. */
  opened(): void;
  take(text: string): void;
  /** The connection is gone; it may come back. */
  disconnected(): void;
  /** It will not come back. */
  ended(error: WssError): void;
  /** The connection is to be asked for a sign of life. */
  beat(): void;
}

/**
 * An attempt to connect, and the connection that comes of it.
 * @internal
 */
interface Line {
  socket?: SocketLike;
  /** On the steady clock; 0 until there is a connection. */
  openedAt: number;
  /** True once frames may be sent: the server has greeted us, where it is one that does. */
  isReady?: boolean;
  /** How long the server has to give a sign of life, ms; set while none has come. */
  askedMs?: number;
}

/** When the page came back or its network changed, a link that is alive answers within this time, ms, at first. */
const PROBE_MS = 3_000;
/** Time within which written data leaves a socket, ms. */
const FLUSH_MS = 200;

/**
 * Keeps one WebSocket open, as long as that makes sense.
 * @internal
 */
export class Connection {
  readonly progress: Changing<Status>;
  readonly waits: Backoff;
  private readonly ending = new AbortController();
  /** Aborted when the client has ended, with the error as the reason. */
  readonly end = this.ending.signal;

  /** Resumes the session on the next connection. */
  private resumeToken?: string;
  /** A socket is replaced when it is of no use any more; its later events are discarded. */
  private line: Line = { openedAt: 0 };
  /** Bounds the present attempt, ends the present wait, or keeps the present connection. */
  private readonly timer = new Timer();
  private beatMs = 0;
  /** How long a link may take when the page came back or its network changed, ms. */
  private probeMs = PROBE_MS;
  private tokensRefused = 0;

  constructor(
    private readonly url: string,
    private readonly settings: ConnectionOptions,
    private readonly listener: WireListener,
  ) {
    this.progress = new Changing<Status>({ state: 'connecting' }, settings.debug);
    this.waits = new Backoff(settings.backoff ?? {});
    onPageChange(() => this.pageChanged(), this.end);
    void this.connect();
  }

  get isOpen(): boolean {
    return this.line.openedAt > 0;
  }

  get isReady(): boolean | undefined {
    return this.line.isReady;
  }

  /** True if the server is asked to keep a session for us. */
  get hasSession(): boolean {
    return this.settings.session !== false;
  }

  write(text: string): void {
    trace(this.settings.debug, 'sent', text);
    this.line.socket?.send(text);
  }

  /** The server is one of ours; from now on silence is a fault. */
  greeted(resumeToken: string, heartbeatMs: number): void {
    this.resumeToken = resumeToken;
    this.tokensRefused = 0;
    this.beatMs = heartbeatMs;
    this.timer.schedule(heartbeatMs, () => this.probe(heartbeatMs));
    this.mayBegin();
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
    const { end } = this;
    end.throwIfAborted();
    if (typeof token !== 'function') return checkToken(token);
    const asked = new Pending<unknown>({ timeoutMs: tokenWithinMs, signal: end });
    asked.sent();
    Promise.resolve().then(token).then(asked.fulfil, asked.fail);
    const fetched = await asked.promise.catch((error: unknown) => {
      throw end.reason ?? new WssError('no_token', `token: ${(error as Error)?.message}`, true);
    });
    return checkToken(fetched);
  }

  /** Ends the connection for good. */
  finish(error?: WssError): void {
    if (this.end.aborted) return;
    const socket = this.letGo();
    this.progress.become({ state: 'closed', error });
    const reason = error ?? new WssError('closed', 'closed');
    this.ending.abort(reason);
    socket?.close(1000);
    if (socket?.terminate) setTimeout(() => socket.terminate!(), FLUSH_MS);
    this.listener.ended(reason);
  }

  /** The page came back, or its network changed: an open connection may be dead, and a failed one may succeed now. */
  private pageChanged(): void {
    const page = pageState();
    if (!page.isHidden && !page.isOffline) {
      // Failures on another network say nothing of this one.
      this.waits.held(Infinity);
      if (this.progress.current.state === 'waiting') this.connectIn(this.waits.notBefore - now());
    }
    if (this.line.socket && this.hasSession) this.probe(this.probeMs);
  }

  private connectIn(ms: number): void {
    this.timer.schedule(ms, () => void this.connect());
  }

  private async connect(): Promise<void> {
    const line = (this.line = { openedAt: 0 });
    this.progress.become({ state: 'connecting' });
    try {
      const protocols = await this.protocols();
      if (line === this.line) this.use(this.open(protocols), line);
    } catch (error) {
      if (line === this.line) this.failed(error as WssError);
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
  private use(socket: SocketLike, line: Line): void {
    line.socket = socket;
    // A node with many to let in takes longer.
    this.timer.schedule(3 * this.patienceMs, () => this.giveUp());
    const ifMine =
      <Args extends unknown[]>(handle: (...args: Args) => void) =>
      (...args: Args) =>
        this.line === line && handle(...args);
    socket.onopen = ifMine(() => this.onOpen(socket));
    socket.onmessage = ifMine(({ data }: { data: string }) => this.onMessage(data));
    // The `ws` package reports a subprotocol that is not ours as an error; browsers show it.
    socket.onerror = ifMine(
      ({ message }: { message?: string }) => /subprotocol/.test(message!) && this.finish(otherServer()),
    );
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
    this.line.openedAt = now();
    this.probeMs = PROBE_MS;
    this.timer.cancel();
    this.progress.become({ state: 'open' });
    if (!this.hasSession) this.mayBegin();
    else this.timer.schedule(this.patienceMs, () => this.giveUp(otherServer('unreachable', true)));
  }

  private mayBegin(): void {
    this.line.isReady = true;
    this.listener.opened();
  }

  private onMessage(data: string): void {
    delete this.line.askedMs;
    trace(this.settings.debug, 'received', data);
    this.listener.take(data);
    callDue();
  }

  /**
   * Asks for a sign of life: browsers do not show the server's ping frames. A link without one in time is dead, and one
   * that does not come about in time will not.
   */
  private probe(withinMs: number): void {
    const { line } = this;
    // Asking again gives no more time.
    if (line.askedMs === this.probeMs) return;
    line.askedMs = withinMs;
    if (line.isReady) this.listener.beat();
    this.timer.schedule(withinMs, () => {
      if (!line.askedMs) return this.probe(this.beatMs);
      if (withinMs === this.probeMs) {
        // On a network that is slow and changes often, no attempt would succeed.
        this.probeMs = 8 * PROBE_MS;
        // The network is another one: that the link is dead says nothing of the next.
        this.waits.advise(0);
      }
      this.giveUp();
    });
  }

  /** A closing handshake over a dead line would take long; only `ws` can cut it short. */
  private giveUp(error?: WssError): void {
    const { socket } = this.line;
    this.onClose(4409, '', error);
    socket?.close();
    socket?.terminate?.();
  }

  /** Only the `ws` package reports an HTTP status. */
  private onResponse({ statusCode, headers }: Parameters<UpgradeListener>[1]): void {
    this.waits.advise(Number(headers['retry-after']) * 1_000);
    this.giveUp(refusalOf(statusCode));
  }

  private onClose(code: number, reason: string, known?: WssError): void {
    const { openedAt } = this.line;
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
    const page = pageState();
    const isParked = page.isHidden && whileHidden === 'wait';
    const inMs = this.waits.next(page, error);
    this.progress.become({ state: 'waiting', inMs: isParked ? undefined : inMs, code, error });
    if (isParked) return;
    if (inMs > 0) this.connectIn(inMs);
    else void this.connect();
  }

  private letGo(): SocketLike | undefined {
    const { socket } = this.line;
    this.line = { openedAt: 0 };
    this.timer.cancel();
    return socket;
  }
}

type SocketOn = (event: 'unexpected-response', listener: UpgradeListener) => void;

/** The reason for which there is no connection; undefined if one was lost that may come back. */
function closeError(code: number, reason: string, wasOpen: boolean): WssError | undefined {
  const refusal = wasOpen ? undefined : refusalOf(statusOfClose(code), reason);
  if (refusal || !mayReconnect(code)) return refusal ?? new WssError('refused', `closed: ${code} ${reason}`);
  return wasOpen ? undefined : new WssError('unreachable', 'no answer', true);
}

import { WssClient } from '@wss/client';
import { WebSocket } from 'ws';

/** A connection that was lost. */
export interface Loss {
  readonly code: number;
  /** Id of the node it led to. */
  readonly nodeId: string;
  /** When it was lost. */
  readonly at: Date;
  /** From then on, each with the ms since: what happened until a node greeted the client again. */
  readonly steps: string[];
  /** Time until a node greeted the client again, ms; nothing if none has. */
  outageMs?: number;
}

/** How a {@link Member} works. */
export interface MemberOptions {
  readonly url: string;
  readonly name: string;
  /** An access token; without one it says its name. */
  readonly token?: string;
  readonly room: `chat:${string}`;
  /** Pause between an answer and the next command, ms. */
  readonly pauseMs: number;
}

/** How long a command may take, outages included, ms. */
const COMMAND_MS = 300_000;

/** A client that is in a room, sends numbered commands one after the other, and writes down what happens to it. */
export class Member {
  /** Texts of the room's events, in the order in which they came. */
  readonly seen: string[] = [];
  readonly losses: Loss[] = [];
  /** Attempts to connect that failed. */
  failedAttempts = 0;
  /** Breaches of the promises. */
  readonly mistakes: string[] = [];
  /** Commands that were answered with success. */
  sent = 0;
  /** Longest time from a command to its answer, ms. */
  longestAnswerMs = 0;

  private readonly client: WssClient;
  private nodeId = '';
  private greeted = false;
  private seq = 0;
  private stopping = false;
  private working?: Promise<void>;

  constructor(readonly options: MemberOptions) {
    const { url, name, token } = options;
    this.client = new WssClient(token === undefined ? `${url}?user=${name}` : url, {
      token,
      WebSocket: this.tracedSocket(),
    });
    this.watchConnection();
    this.watchRoom();
  }

  /** Resolves when the server let it in. */
  join(): Promise<void> {
    return this.client.room(this.options.room).join();
  }

  start(): void {
    this.working = this.work();
  }

  /** Resolves when its last command was answered. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.working;
  }

  close(): void {
    this.client.close();
  }

  private watchConnection(): void {
    this.client.onStatus((status) => {
      if (status.state === 'closed') return void (this.stopping || this.mistakes.push('closed for good'));
      if (status.state !== 'waiting') return this.trace(status.state);
      if (this.greeted) {
        this.greeted = false;
        this.losses.push({ code: status.code ?? 0, nodeId: this.nodeId, at: new Date(), steps: [] });
      } else this.failedAttempts++;
      this.trace(`waiting ${Math.round(status.inMs ?? 0)} ms`);
    });
    this.client.onHello(({ client, resumed }) => {
      this.greeted = true;
      this.nodeId = client.slice(0, client.lastIndexOf('.'));
      const loss = this.losses.at(-1);
      if (!loss) return;
      if (!resumed) this.mistakes.push('the session was not resumed');
      this.trace(`greeted by ${this.nodeId}`);
      loss.outageMs ??= Date.now() - loss.at.getTime();
    });
    this.client.onError((error) => this.mistakes.push(`${error.code}: ${error.message}`));
    this.client.onRollback(() => this.mistakes.push('commands were lost by the storage'));
  }

  /** Notes what happens until a lost connection is replaced. */
  private trace(step: string): void {
    const loss = this.losses.at(-1);
    if (loss?.outageMs === undefined) loss?.steps.push(`${Date.now() - loss.at.getTime()} ${step}`);
  }

  /** Sockets that tell why a connection did not come about; the client itself does not need to know. */
  private tracedSocket(): new (url: string, protocols?: string[]) => WebSocket {
    const trace = (error: Error): void => this.trace(error.message);
    return class extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        this.on('error', trace);
      }
    };
  }

  private watchRoom(): void {
    const room = this.client.room(this.options.room);
    room.on('chat.sent', ({ data, seq }) => {
      if (seq !== this.seq + 1) this.mistakes.push(`event ${seq} after ${this.seq}`);
      this.seq = seq!;
      this.seen.push((data as { text: string }).text);
    });
    room.onReset(({ reason }) => this.mistakes.push(`reset: ${reason}`));
  }

  private async work(): Promise<void> {
    const room = this.client.room(this.options.room);
    await this.pause();
    while (!this.stopping) {
      const startedMs = performance.now();
      try {
        const text = `${this.options.name}.${this.sent + 1}`;
        await room.command('chat.send', { text }, { timeoutMs: COMMAND_MS });
        this.sent++;
      } catch (error) {
        this.mistakes.push(`a command failed: ${(error as Error).message}`);
        return;
      }
      this.longestAnswerMs = Math.max(this.longestAnswerMs, performance.now() - startedMs);
      await this.pause();
    }
  }

  /** Everybody at his own time, on average `pauseMs`. */
  private pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * this.options.pauseMs));
  }
}

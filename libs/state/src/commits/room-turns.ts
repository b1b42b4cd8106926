import type { Position } from '@wss/protocol';
import { epochNumber } from '../store/log-format.js';
import type { Committed, Judged } from '../store/room-store.js';
import { decodeTurn, type Turn } from '../store/turn-format.js';

/** How long a node waits to be called before it goes ahead all the same, ms: a call may get lost. */
const PATIENCE_MS = 50;
/** How long a node listens for its turn after others were faster the last time, ms. */
const LISTEN_MS = 10_000;

/** Channels between nodes, as far as they are needed to call the next one. */
export interface TurnChannels {
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string, listener: (message: string) => void): void;
}

/** How a node stands in the line of one room. */
export interface TurnSource {
  readonly channels: TurnChannels;
  /** Where it is called. */
  readonly channel: string;
  /** Says that it was called and has nothing to write. */
  pass(): void;
}

/**
 * When a node may write a room that other nodes write too.
 *
 * Every commit leaves the others with old documents, so who tries meanwhile does work that can't count. Hence the
 * engine keeps a line of those that lost: each commit calls the next one, with the documents that it wrote, and who has
 * written stands last. Nothing depends on it but speed. Documents alone decide what is written, a node whose call does
 * not come goes ahead after 50 ms, and one that is not in the line may write too.
 */
export class RoomTurns {
  private hearing: 'no' | 'soon' | 'yes' = 'no';
  private quiet: NodeJS.Timeout | undefined;
  private lostAt = 0;
  private resting = true;
  /** True if it is this node's turn. */
  private called = false;
  /** True if others are to write first. */
  private waiting = false;
  /** Its call did not come the last time. */
  private impatient = false;
  /** A call that came before it was waited for. */
  private early: Turn | undefined;
  private wake: ((turn: Turn) => void) | undefined;

  constructor(private readonly source?: TurnSource) {}

  /** True if this node hears its calls; only then may it stand in the line. */
  get hears(): boolean {
    return this.hearing === 'yes';
  }

  /** True if others are to write first. */
  get waits(): boolean {
    return this.waiting;
  }

  /** There is something to write. */
  begin(): void {
    this.resting = false;
  }

  /** Resolves to its call; to nothing when that does not come. */
  async turn(): Promise<Turn | undefined> {
    const turn = this.early ?? (await this.nextCall());
    this.early = undefined;
    this.waiting = false;
    this.called = turn !== undefined;
    this.impatient = turn === undefined;
    return turn;
  }

  /** Others were faster. The refusal brought the documents as they are now. */
  lost({ position, ahead }: Judged): void {
    this.lostAt = performance.now();
    if (ahead === undefined) return this.listen();
    this.called = ahead === 0;
    this.waiting = ahead > 0 && !this.impatient;
    this.forgetCallsBefore(position, ahead === 0);
  }

  /** It has written, and if it was in the line, it stands there again if others wait. */
  won({ position, ahead }: Committed, inLine: boolean): void {
    this.called = false;
    this.impatient = false;
    this.waiting = ahead > 0 && inLine;
    this.forgetCallsBefore({ ...position, seq: position.seq + 1 }, ahead === 0);
  }

  /** There is nothing more to write: a turn that has come is passed on. */
  rest(): void {
    this.resting = true;
    if (this.called || this.early) this.pass();
  }

  /** Stops listening. */
  close(): void {
    clearTimeout(this.quiet);
    if (this.hearing !== 'no') this.source?.channels.unsubscribe(this.source.channel, this.hear);
    this.hearing = 'no';
    this.waiting = false;
  }

  private nextCall(): Promise<Turn | undefined> {
    return new Promise((resolve) => {
      const done = (turn?: Turn): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve(turn);
      };
      const timer = setTimeout(done, PATIENCE_MS);
      this.wake = done;
    });
  }

  /** A call may overtake the answer that it follows, so one that came meanwhile counts if it is newer than that. */
  private forgetCallsBefore({ epoch, seq }: Position, all: boolean): void {
    const early = this.early?.position;
    if (!early) return;
    const age = epochNumber(early.epoch) - epochNumber(epoch) || early.seq - seq;
    if (all || age < 0) this.early = undefined;
  }

  private readonly hear = (message: string): void => {
    const turn = decodeTurn(message);
    if (this.wake) this.wake(turn);
    else if (this.resting) this.pass();
    else this.early = turn;
  };

  private pass(): void {
    this.called = false;
    this.waiting = false;
    this.early = undefined;
    this.source?.pass();
  }

  private listen(): void {
    if (!this.source || this.hearing !== 'no') return;
    const { channels, channel } = this.source;
    this.hearing = 'soon';
    channels.subscribe(channel, this.hear).then(
      () => {
        if (this.hearing === 'soon') this.hearing = 'yes';
      },
      () => (this.hearing = 'no'),
    );
    this.closeWhenQuiet(LISTEN_MS);
  }

  private closeWhenQuiet(afterMs: number): void {
    this.quiet = setTimeout(() => {
      const rest = this.lostAt + LISTEN_MS - performance.now();
      if (rest > 0) this.closeWhenQuiet(rest);
      else this.close();
    }, afterMs).unref();
  }
}

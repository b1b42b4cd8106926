import type { Socket } from 'node:net';

/** Rules that a direction asks before it hands on each piece; the answers may change at any time. */
export interface DirectionRules {
  /** True if arriving bytes disappear. */
  swallows(): boolean;
  /** Delay, milliseconds. */
  latencyMs(): number;
  /** How long so many bytes take to pass a line that is shared with others, milliseconds; absent: no time. */
  passMs?(bytes: number): number;
}

/** Nothing more is read from a sender of whom so many bytes wait. */
const MAX_WAITING_BYTES = 65_536;

/** Bytes, or the end of the stream. */
type Piece = Buffer | 'end';

/** One direction of one proxied connection: passes data on in order, late, or not at all. */
export class TcpDirection {
  private readonly waiting: { readonly piece: Piece; readonly due: number }[] = [];
  private waitingBytes = 0;
  private timer?: NodeJS.Timeout;
  private damaged = false;
  private closed = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly rules: DirectionRules,
  ) {
    from.on('data', (bytes: Buffer) => this.accept(bytes));
    from.once('end', () => this.accept('end'));
    to.on('drain', () => from.resume());
  }

  /** True if bytes should flow here but can't: after a loss, later bytes make no sense to the receiver. */
  get broken(): boolean {
    return this.damaged && !this.rules.swallows();
  }

  /** Notes that the sender's socket broke. @returns true if the receiver may learn of it now */
  reportsBreak(): boolean {
    this.damaged = true;
    return this.broken;
  }

  /** Nothing is handed on any more. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.waiting.length = 0;
  }

  /** A piece never overtakes an earlier one, whatever their latencies: only the first waiting one is considered. */
  private accept(piece: Piece): void {
    const passMs = this.rules.passMs?.(sizeOf(piece)) ?? 0;
    this.waiting.push({ piece, due: performance.now() + Math.max(this.rules.latencyMs(), passMs) });
    this.waitingBytes += sizeOf(piece);
    if (passMs > 0 && this.waitingBytes > MAX_WAITING_BYTES) this.from.pause();
    if (this.waiting.length === 1) this.handOnDue();
  }

  private handOnDue(): void {
    while (this.waiting.length > 0) {
      const delay = this.waiting[0]!.due - performance.now();
      if (delay > 0) {
        this.timer = setTimeout(() => this.handOnDue(), Math.ceil(delay));
        return;
      }
      const { piece } = this.waiting.shift()!;
      this.waitingBytes -= sizeOf(piece);
      if (this.waitingBytes <= MAX_WAITING_BYTES) this.from.resume();
      this.handOn(piece);
    }
  }

  private handOn(piece: Piece): void {
    if (this.closed) return;
    if (this.damaged || this.rules.swallows()) {
      this.damaged = true;
    } else if (piece === 'end') {
      this.to.end();
    } else if (!this.to.write(piece)) {
      this.from.pause();
    }
  }
}

function sizeOf(piece: Piece): number {
  return piece === 'end' ? 0 : piece.length;
}

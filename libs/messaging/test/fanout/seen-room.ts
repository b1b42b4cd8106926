import type { LogRoom } from './log-room.js';

/** A client's request in a `$join`. */
export interface JoinWish {
  readonly from?: { readonly epoch: string; readonly seq: number };
  readonly last: number;
  readonly state: boolean;
}

/** Where a `$join`, `$reset` or `$epoch` says that the client stands. */
export interface StartData {
  readonly epoch: string;
  readonly seq: number;
  readonly recovered?: boolean;
  readonly missed?: number;
}

interface EpochData extends StartData {
  readonly durable?: number;
}

export interface EventFrame {
  readonly event: string;
  readonly seq?: number;
  readonly data: unknown;
  readonly patch?: object;
}

/** Takes what comes out of a play. */
export interface Judgement {
  count(what: string): void;
  problem(problem: string): void;
}

/** One client's view of one room, judged frame by frame. */
export class SeenRoom {
  private joined = false;
  private epoch = '';
  private next = 0;
  private patched = false;
  /** The volatile event that came last since it joined. */
  private lastMove?: number;
  private seen = new Map<number, string>();

  constructor(
    private readonly client: string,
    private readonly room: LogRoom,
  ) {}

  onJoined(wish: JoinWish, { epoch, seq, recovered, missed = 0 }: StartData, judgement: Judgement): void {
    judgement.count('joined');
    this.joined = true;
    this.patched = wish.state;
    delete this.lastMove;
    const atDocuments = !recovered || (wish.state && !wish.from);
    this.restart(epoch, atDocuments ? seq : seq - missed);
    if (recovered && wish.from && this.next !== wish.from.seq + 1) {
      this.tell(judgement, `begins at ${this.next}, not at its position`);
    }
  }

  onLeft(): void {
    this.joined = false;
  }

  onFrame(frame: EventFrame, judgement: Judgement): void {
    const { event, seq, data } = frame;
    judgement.count(event);
    if (!this.joined) return this.tell(judgement, `got ${event} ${seq ?? ''} though it is not in the room`);
    if (event === '$reset') return this.restart((data as StartData).epoch, (data as StartData).seq);
    if (event === '$epoch') return this.onEpoch(data as EpochData, judgement);
    if (event === 'moved') return this.onMoved((data as { move: number }).move, judgement);
    if (seq !== undefined) this.onLogged(seq, frame, judgement);
  }

  /** It is open, and has read everything. */
  atTheEnd(judgement: Judgement): void {
    if (!this.joined) return;
    const { epoch, seq } = this.room.position;
    if (this.next !== seq + 1) this.tell(judgement, `stopped before ${this.next}, the room is at ${seq}`);
    if (this.epoch !== epoch)
      this.tell(judgement, `believes in epoch ${this.epoch}, the room is in ${epoch}`);
    for (const [at, uid] of this.seen) {
      if (this.room.history.get(at) !== uid) this.tell(judgement, `saw ${uid} at ${at}, which the room lost`);
    }
  }

  /** A room with `close` drops none of them, but a member gets none while it catches up after its join. */
  private onMoved(move: number, judgement: Judgement): void {
    const { lastMove = move - 1 } = this;
    const inOrder = this.room.name.startsWith('close:') ? move === lastMove + 1 : move > lastMove;
    if (!inOrder) this.tell(judgement, `got move ${move} after ${lastMove}`);
    this.lastMove = move;
  }

  private onLogged(seq: number, { data, patch }: EventFrame, judgement: Judgement): void {
    if (seq !== this.next) this.tell(judgement, `got ${seq} instead of ${this.next}`);
    const written = data as { readonly uid: string; readonly patched: boolean };
    if ((patch !== undefined) !== (written.patched && this.patched)) {
      this.tell(judgement, `${seq} has the wrong patch`);
    }
    this.seen.set(seq, written.uid);
    this.next = seq + 1;
  }

  private onEpoch({ epoch, seq, durable }: EpochData, judgement: Judgement): void {
    if (durable !== undefined) return;
    if (seq !== this.next - 1) {
      this.tell(judgement, `is told of epoch ${epoch} after ${seq}, it is at ${this.next - 1}`);
    }
    this.epoch = epoch;
  }

  private restart(epoch: string, seq: number): void {
    this.epoch = epoch;
    this.next = seq + 1;
    this.seen = new Map();
  }

  private tell(judgement: Judgement, problem: string): void {
    judgement.problem(`${this.client} in ${this.room.name}: ${problem}`);
  }
}

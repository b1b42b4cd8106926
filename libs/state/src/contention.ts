/** Longest that a node lets others go first, ms. */
const MAX_PAUSE_MS = 50;
/** How much of the estimate a commit without a loser leaves. */
const FORGET = 0.8;
/** Weight of the newest turn in the average. */
const NEWEST = 0.2;

/**
 * When a node may write a room that other nodes write too.
 *
 * Every commit leaves the others with old documents, so who comes before its turn does work that can't count. The
 * engine counts who lost since the last commit: a node that lost lets those go first that lost before it, and the
 * node that won lets all of them go. Pauses are that number of turns long, a turn being what this node's own commits
 * took lately, from planning to the answer. What each learns raises its estimate of the others at once and fades with
 * every commit that nobody lost against. Nothing depends on it but speed: the engine alone decides what is written.
 */
export class Contention {
  private rivals = 0;
  private turnMs = 1;
  private quietUntil = 0;
  private stale = false;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** How long to wait before the next attempt, ms; 0 to go ahead. */
  get pauseMs(): number {
    return Math.max(0, this.quietUntil - this.now());
  }

  /** Whether the documents are to be read before the next attempt, because others will have written. Asking answers it. */
  takeStale(): boolean {
    const { stale } = this;
    this.stale = false;
    return stale;
  }

  /** A commit came too late, as the `rank`th since the last one that counted. Its refusal brought the documents. */
  lost(rank: number): void {
    this.rivals = Math.max(this.rivals, rank);
    this.pause(rank - 1);
  }

  /** A commit took this long, ms, and this many others lost against it or those before it. */
  won(losers: number, tookMs: number): void {
    this.turnMs += (tookMs - this.turnMs) * NEWEST;
    this.rivals = losers > 0 ? Math.max(losers, this.rivals) : this.rivals * FORGET;
    this.pause(Math.round(this.rivals));
  }

  private pause(turns: number): void {
    if (turns <= 0) return;
    const ms = Math.min(MAX_PAUSE_MS, turns * this.turnMs * (0.75 + Math.random() / 2));
    this.quietUntil = this.now() + ms;
    this.stale = true;
  }
}

import { MessagingObserver, type PauseCause, type SlowClientAction } from '@wss/messaging';
import { CLOSE_CODES } from '@wss/protocol';
import type { Registry } from 'prom-client';
import type { CommitOutcome, EngineObserver, NodeFigures } from '../engine/engine-observer.js';
import { CommandTallies } from './command-tallies.js';
import type { Instruments } from './instruments.js';
import { showFigures } from './node-figures.js';
import { Buckets, Tally } from './tallies.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMANDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Close codes that come from the client, or stand for a missing close frame. */
const FOREIGN_CODES = new Set([1005, 1006]);

/**
 * Everything that a node counts, as Prometheus metrics. The code bounds the values of every label: no name from a
 * client becomes one.
 */
export class Metrics extends MessagingObserver implements EngineObserver {
  private readonly commands = new CommandTallies(SECONDS);
  private readonly upgrades = this.instruments.counter('upgrades_total', 'Upgrades that were answered', [
    'status',
  ]);
  private readonly refusals = this.instruments.counter(
    'upgrade_refusals_total',
    'Upgrades that were refused, by the check that failed',
    ['check'],
  );
  private readonly closes = this.instruments.counter('client_closes_total', 'Connections that have ended', [
    'code',
  ]);
  private readonly slow = this.instruments.counter('slow_clients_total', 'Actions against slow clients', [
    'action',
  ]);
  private readonly pauses = this.instruments.counter(
    'client_pauses_total',
    'Pauses of clients that are at a limit of what is read from them',
    ['by'],
  );
  private readonly drained = this.instruments.counter(
    'drained_clients_total',
    'Clients of the stopping node',
    ['how'],
  );

  private readonly commits = new Tally();
  private readonly commitCommands = new Buckets(COMMANDS);
  private readonly commitSeconds = new Buckets(SECONDS);
  /** Reads of events that a room's subscription missed; `ok` or `failed`. */
  private readonly repairs = this.instruments.counter('gap_repairs_total', 'Reads of missed events', [
    'outcome',
  ]);
  private readonly repairedEvents = this.instruments.counter(
    'gap_repaired_events_total',
    'Events that such reads brought',
  );
  /** Deliveries to members on this node; `log` or `volatile`. */
  private readonly deliveries = new Tally();
  /** Parts of rooms that the engine lost before their time. */
  private readonly lostParts = this.instruments.counter(
    'room_parts_lost_total',
    'Parts of rooms that vanished from the engine',
    ['part'],
  );
  /** `continued`: members went on; `reset`: they had to start anew. */
  private readonly removals = this.instruments.counter(
    'members_removed_total',
    'Memberships of rooms that this node ended, because a user was removed or the room closed',
  );
  private readonly epochs = this.instruments.counter('room_epochs_total', 'Rooms whose history changed', [
    'outcome',
  ]);

  constructor(private readonly instruments: Instruments) {
    super();
    this.showCommands();
    this.showCommits();
    instruments.counters('deliveries_total', 'Events times the members that got them', ['kind'], () =>
      this.deliveries.all().map(([kind, value]) => [{ kind }, value]),
    );
  }

  private showCommands(): void {
    const { instruments, commands } = this;
    instruments.counters('commands_total', 'Commands that have ended', ['event', 'outcome'], () =>
      commands.outcomes(),
    );
    instruments.histogram(
      'command_duration_seconds',
      { help: 'From the frame to the answer', labels: ['event'], buckets: SECONDS },
      () => commands.seconds(),
    );
  }

  private showCommits(): void {
    const { instruments } = this;
    instruments.counters('commit_batches_total', 'Commits that the engine answered', ['outcome'], () =>
      this.commits.all().map(([outcome, value]) => [{ outcome }, value]),
    );
    const commands = { help: 'Commands in one commit', buckets: COMMANDS };
    instruments.histogram('commit_batch_commands', commands, () => [[{}, this.commitCommands]]);
    const seconds = { help: 'From the call of the engine to its answer', buckets: SECONDS };
    instruments.histogram('commit_duration_seconds', seconds, () => [[{}, this.commitSeconds]]);
  }

  /** Where they are shown. */
  get registry(): Registry {
    return this.instruments.registry;
  }

  commandEnded(event: string, outcome: string, seconds: number): void {
    this.commands.ended(event, outcome, seconds);
  }

  upgradeAnswered(status: number, check?: string): void {
    this.upgrades.inc({ status });
    if (check !== undefined) this.refusals.inc({ check });
  }

  clientGone(code: number): void {
    const known = code in CLOSE_CODES || FOREIGN_CODES.has(code);
    this.closes.inc({ code: known ? String(code) : 'other' });
  }

  clientSlow(action: SlowClientAction): void {
    this.slow.inc({ action });
  }

  override clientPaused(by: PauseCause): void {
    this.pauses.inc({ by });
  }

  clientDrained(how: 'closed' | 'cut'): void {
    this.drained.inc({ how });
  }

  delivered(kind: 'log' | 'volatile', count: number): void {
    this.deliveries.add(kind, count);
  }

  override memberRemoved(): void {
    this.removals.inc();
  }

  historyChanged(outcome: 'continued' | 'reset'): void {
    this.epochs.inc({ outcome });
  }

  batchEnded(outcome: CommitOutcome, commands: number, seconds: number): void {
    this.commits.add(outcome);
    this.commitCommands.add(commands);
    this.commitSeconds.add(seconds);
  }

  gapRead(outcome: 'ok' | 'failed', events: number): void {
    this.repairs.inc({ outcome });
    this.repairedEvents.inc(events);
  }

  partLost(part: string): void {
    this.lostParts.inc({ part });
  }

  nodeMade(figures: NodeFigures): void {
    showFigures(figures, this.instruments);
  }
}

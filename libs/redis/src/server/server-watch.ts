import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { LogGate } from '@wss/protocol';
import { checkServer, type ServerCheck, type ServerCheckOptions } from './server-check.js';

/** How often the servers are checked, ms (R32). */
const EVERY_MS = 30_000;
/** Pause between two checks after Redis denied a script a call, ms. */
const AFTER_DENIAL_MS = 2_000;

/** Options of a watch. */
export interface ServerWatchOptions extends ServerCheckOptions {
  /** Command links to all servers that take writes now. */
  readonly servers: () => readonly Redis[];
  /** Calls back whenever there may be other servers. */
  readonly onChange?: (callback: () => void) => void;
  /** Default 30,000. */
  readonly everyMs?: number;
}

/** Known facts about one server. */
interface Seen {
  errors: readonly string[];
  evicted: number;
  runId: string;
  /** The loss of keys that the server deleted, and since when it is reported, for one period at least. */
  loss?: { readonly error: string; readonly since: number } | undefined;
}

/**
 * Checks everything that the promises need of the servers: before the node starts, every 30 s, and whenever a link is
 * opened, since settings change while nodes run and a promoted server has its own.
 */
export class ServerWatch {
  private readonly logger = new Logger('Engine');
  private readonly seen = new Map<Redis, Seen>();
  private readonly followed = new WeakSet<Redis>();
  private told: ReadonlySet<string> = new Set();
  private warned: ReadonlySet<string> = new Set();
  private timer?: NodeJS.Timeout;
  private looking?: Promise<ServerCheck[]>;
  private again = false;
  /** Redis' refusal of a script's call, until a check finds every right. */
  private denial: string | undefined;
  private retry?: NodeJS.Timeout;
  private readonly denials = new LogGate((line) => this.logger.error(line));
  private readonly warnings = new LogGate((line) => this.logger.warn(line));

  private readonly everyMs: number;

  constructor(private readonly options: ServerWatchOptions) {
    this.everyMs = options.everyMs ?? EVERY_MS;
  }

  /** Checks the servers now; concurrent callers share one answer. */
  look(): Promise<ServerCheck[]> {
    if (this.looking) this.again = true;
    this.looking ??= this.lookAtAll().finally(() => {
      delete this.looking;
      if (this.again) this.lookLater();
      this.again = false;
    });
    return this.looking;
  }

  /** Keeps checking until {@link stop}. */
  start(): void {
    this.timer = setInterval(() => this.lookLater(), this.everyMs).unref();
    this.options.onChange?.(() => this.follow());
    this.follow();
  }

  stop(): void {
    clearInterval(this.timer);
    clearInterval(this.retry);
    this.denials.over('denied');
  }

  /** Notes that Redis denied a script a command or key: the node is not ready until a check finds every right again. */
  denied(message: string): void {
    this.denials.report(
      'denied',
      `Redis denies a script a call that it needs (${message}); this node takes no new clients until that is allowed`,
    );
    if (this.denial !== undefined) return;
    this.denial = message;
    this.retry = setInterval(() => this.lookLater(), AFTER_DENIAL_MS).unref();
  }

  /** Reason why the servers can't keep the promises; undefined while they do. */
  problem(): string | undefined {
    const [error = this.denial] = this.errors();
    return error === undefined ? undefined : `Redis can't keep the promises: ${error}`;
  }

  /** A new link may lead to a server with other settings. */
  private follow(): void {
    for (const redis of this.options.servers()) {
      if (this.followed.has(redis)) continue;
      this.followed.add(redis);
      redis.on('ready', () => this.lookLater());
      if (redis.status === 'ready' && !this.seen.has(redis)) this.lookLater();
    }
  }

  private lookLater(): void {
    this.look().catch((error: Error) => this.logger.debug(`Redis can't be checked now: ${error.message}`));
  }

  private async lookAtAll(): Promise<ServerCheck[]> {
    const servers = this.options.servers();
    for (const redis of this.seen.keys()) if (!servers.includes(redis)) this.seen.delete(redis);
    const ready = servers.filter(({ status }) => status === 'ready');
    const { denial } = this;
    const results = await Promise.allSettled(ready.map((redis) => this.lookAt(redis)));
    if (denial !== undefined && results.every(({ status }) => status === 'fulfilled')) this.forgive();
    this.tell(results.flatMap((result) => (result.status === 'fulfilled' ? result.value.warnings : [])));
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  /** Ends a denial from before a check, if the check found nothing. */
  private forgive(): void {
    if (this.errors().size > 0) return;
    clearInterval(this.retry);
    this.denial = undefined;
  }

  private async lookAt(redis: Redis): Promise<ServerCheck> {
    const since = performance.now();
    const check = await checkServer(redis, this.options);
    const before = this.seen.get(redis);
    const grown = before?.runId === check.runId ? check.evicted - before.evicted : 0;
    const isTold = before?.loss && since - before.loss.since < this.everyMs;
    const loss = grown > 0 ? { error: deleted(grown), since } : isTold ? before.loss : undefined;
    const errors = [...check.errors, ...(loss ? [loss.error] : [])];
    this.seen.set(redis, { errors, evicted: check.evicted, runId: check.runId, loss });
    return { ...check, errors };
  }

  private errors(): Set<string> {
    return new Set([...this.seen.values()].flatMap(({ errors }) => errors));
  }

  /** Logs each error and warning once, when it comes up, also if it holds for several servers. */
  private tell(warnings: readonly string[]): void {
    const errors = this.errors();
    if (this.timer) {
      for (const error of errors)
        if (!this.told.has(error))
          this.logger.error(
            `Redis can't keep the promises: ${error}; this node takes no new clients until that is mended`,
          );
      if (errors.size === 0 && this.told.size > 0) this.logger.log('Redis can keep the promises again');
    }
    for (const warning of new Set(warnings))
      if (!this.warned.has(warning)) this.warnings.report(warning, `Redis: ${warning}`);
    this.told = errors;
    this.warned = new Set(warnings);
  }
}

function deleted(count: number): string {
  return `it deleted ${count} keys to free memory (evicted_keys), so parts of rooms may be missing; set maxmemory-policy noeviction and give it more memory`;
}

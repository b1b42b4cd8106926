import { getEventListeners } from 'node:events';
import type { Room, WssClient, WssError } from '@wss/client';
import type { Random } from '@wss/testing';

/** The error that functions of the application throw; it may only show as an uncaught error. */
export const FAULT = new Error('a fault of the application');

const ROOMS = ['list:a', 'list:b', 'list:c'] as const;

/** A part of an application that calls everything at any time, out of callbacks too, which throw or hang. */
export class CarelessUser {
  /** Calls and iterators that have not ended, by what they are. */
  readonly open = new Map<string, number>();
  /** How calls ended. */
  readonly codes = new Set<string>();
  private readonly signals: AbortController[] = [];
  private readonly stops: (() => void)[] = [];
  private client?: WssClient;

  constructor(private readonly random: Random) {}

  /** It listens from the first moment on. */
  begin(client: WssClient): void {
    this.client = client;
    for (let i = 0; i < 5; i++) this.subscribe();
  }

  /** For {@link WssClientOptions.token}: it is late, fails, or never answers. */
  readonly token = (): Promise<string> | string => {
    const what = this.random.below(10);
    if (what === 0) return new Promise(() => undefined);
    if (what === 1) throw FAULT;
    if (what === 2) return Promise.reject(FAULT);
    return 'a token';
  };

  /** Any callback of the application. */
  readonly callback = (): void => {
    if (!this.client) return;
    const what = this.random.below(40);
    if (what === 0) this.client.close();
    else if (what < 8) this.act();
    else if (what < 12) throw FAULT;
  };

  /** One thing that an application may do at any time. */
  act(): void {
    const client = this.client!;
    const room: Room = client.room(this.random.pick(ROOMS));
    const options = { signal: this.signal(), timeoutMs: this.random.pick([50, 5_000, Infinity]) };
    const work: (() => void)[] = [
      () => this.track('join', room.join({ ...options, last: this.random.below(3), meta: this.meta() })),
      () => this.track('join', room.join()),
      () => this.track('leave', room.leave()),
      () => this.track('setMeta', room.setMeta(this.meta() ?? {})),
      () => this.track('command', room.command('add', { command: `c${this.random.below(1e9)}` }, options)),
      () => this.track('command', room.command('add', 1n, options)),
      () => this.track('command', client.command('echo', {}, options)),
      () => this.track('ping', client.ping(options)),
      () => this.track('refreshToken', client.refreshToken()),
      () => this.track('refresh', room.members.refresh()),
      () => this.track('ready', room.state(this.random.pick(['doc', 'none'])).ready),
      () => client.send('something', this.random.pick([{}, 1n])),
      () => this.subscribe(),
      () => this.stops.splice(0, 1).forEach((stop) => stop()),
      () => this.signals.splice(0, 1).forEach((controller) => controller.abort({ code: 'aborted' })),
      () => void this.iterate(),
      () => void this.iterate(),
    ];
    this.random.pick(work)();
  }

  /** Objects that an application passes in live on, and must not keep anything of the client. */
  get listeners(): number {
    return this.signals.reduce((sum, { signal }) => sum + getEventListeners(signal, 'abort').length, 0);
  }

  private subscribe(): void {
    const client = this.client!;
    const room: Room = client.room(this.random.pick(ROOMS));
    const { callback } = this;
    const ways: (() => () => void)[] = [
      () => client.onStatus(callback),
      () => client.onHello(callback),
      () => client.onError(callback),
      () => client.onRollback(callback),
      () => client.onDegraded(callback),
      () => client.on('x', callback),
      () => room.onStatus(callback),
      () => room.onReset(callback),
      () => room.on('done', callback),
      () => room.state('doc').subscribe(() => this.callback()),
      () => room.members.subscribe(() => this.callback()),
    ];
    try {
      this.stops.push(this.random.pick(ways)());
    } catch (error) {
      // A callback that is called in `subscribe` itself throws into it.
      if (error !== FAULT) throw error;
    }
  }

  private async iterate(): Promise<void> {
    const client = this.client!;
    const room: Room = client.room(this.random.pick(ROOMS));
    const signal = this.signal();
    const ways: (() => AsyncGenerator<unknown, void, void>)[] = [
      () => client.statuses(signal),
      () => client.events('x', signal),
      () => room.events(signal),
      () => room.state('doc').values(signal),
    ];
    const values = this.random.pick(ways)();
    if (this.random.below(6) === 0) return;
    this.count('iterator', 1);
    const isShort = this.random.below(3) === 0;
    for await (const _value of values) if (isShort) break;
    this.count('iterator', -1);
  }

  private track(what: string, work: Promise<unknown>): void {
    this.count(what, 1);
    work.then(
      () => this.count(what, -1),
      (error: WssError) => {
        this.count(what, -1);
        this.codes.add(error.code);
      },
    );
  }

  private count(what: string, change: number): void {
    const open = (this.open.get(what) ?? 0) + change;
    if (open > 0) this.open.set(what, open);
    else this.open.delete(what);
  }

  private signal(): AbortSignal | undefined {
    if (this.random.below(2) === 0) return undefined;
    const controller = new AbortController();
    this.signals.push(controller);
    return controller.signal;
  }

  private meta(): object | undefined {
    return this.random.pick([undefined, { color: 'red' }, [1], { text: 'x'.repeat(2_000) }]);
  }
}

import type { Commands } from '@wss/redis';

/** Complete replies of Redis that are none to what most commands ask, as the driver gives them. */
export const STRANGE_REPLIES: readonly unknown[] = [
  'OK',
  7,
  -1,
  [],
  'foo',
  '',
  [[]],
  [null, '1'],
  [1, 'foo', [1, 2]],
  ['1', 'foo', null, '1'],
];

/** Leads commands to Redis, and brings a strange reply to one of them instead of its own. */
export class StrangeLinks {
  /** The commands that were sent since {@link disturb}. */
  private sent = 0;
  private which = 0;
  private reply: unknown;
  readonly commands: Commands;

  constructor(real: Commands) {
    this.commands = new Proxy(real, {
      get: (redis, name) => {
        const value = Reflect.get(redis, name) as unknown;
        if (typeof value !== 'function') return value;
        if (name === 'pipeline')
          return (...args: unknown[]) => this.pipeline(value.apply(redis, args) as Pipeline);
        return (...args: unknown[]) => this.replied(value.apply(redis, args) as Promise<unknown>);
      },
    });
  }

  /** Replaces the reply to the command that is sent after so many others. */
  disturb(which: number, reply: unknown): void {
    this.sent = 0;
    this.which = which;
    this.reply = reply;
  }

  /** True if the command that is to be disturbed was sent. */
  get hasDisturbed(): boolean {
    return this.sent > this.which;
  }

  private async replied(real: Promise<unknown>): Promise<unknown> {
    const isStrange = this.sent++ === this.which;
    const reply = await real;
    return isStrange ? this.reply : reply;
  }

  private pipeline(pipeline: Pipeline): Pipeline {
    const exec = pipeline.exec.bind(pipeline);
    pipeline.exec = async () => {
      const isStrange = this.sent++ === this.which;
      const results = await exec();
      return isStrange ? results.map(() => [null, this.reply]) : results;
    };
    return pipeline;
  }
}

interface Pipeline {
  exec(): Promise<unknown[]>;
}

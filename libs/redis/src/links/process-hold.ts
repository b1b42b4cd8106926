import type { Redis } from 'ioredis';

/**
 * Decides if links keep the process alive. A link does by itself; but a program whose start failed must be able to end
 * although nobody closed its links. Commands under way keep the process alive in any case, until they are answered or
 * late.
 */
export class ProcessHold {
  private readonly links = new Set<Redis>();
  private isHeld = true;

  add(redis: Redis): void {
    this.links.add(redis);
    redis.on('connect', () => this.apply(redis));
    redis.once('end', () => this.links.delete(redis));
  }

  /** True at first. */
  set held(isHeld: boolean) {
    this.isHeld = isHeld;
    for (const redis of this.links) this.apply(redis);
  }

  private apply({ stream }: Redis): void {
    if (this.isHeld) stream?.ref();
    else stream?.unref();
  }
}

import { GatewayError } from '../errors/gateway-error.js';
import type { RateCharge } from './rate-charge.js';
import type { UserLimit } from './user-rates.js';

/** A limit of a command: so many in a window, from all who share it. */
export interface RateLimitOptions {
  /**
   * Those who share it. `room`: everybody in the command's room, on all nodes; it needs a class with `@RoomType`. `user`:
   * all clients of a user, on all nodes; in a class with `@RoomType` each room counts by itself, unless `overRooms` is
   * set. `client`: one connection.
   */
  readonly per: 'room' | 'user' | 'client';
  /** True: a user's commands count in all rooms together. Default false; without a room they always do. */
  readonly overRooms?: boolean;
  /**
   * Commands that may come at once, and in a window on average; 1 to 1,000,000. Of a user over all rooms: most commands
   * in any window.
   */
  readonly limit: number;
  /** Length of the window, ms, 1 to 86,400,000; at least a microsecond for each command. */
  readonly windowMs: number;
}

/** A limit of a command, as the contract shows it. */
export interface StatedLimit {
  /** Those who share it: all in a room, a user in a room, a user everywhere, one connection. */
  readonly per: 'room' | 'user in a room' | 'user' | 'connection';
  /** Commands that may come at once, and in a window on average; of a user everywhere, the most in any window. */
  readonly limit: number;
  /** Length of the window, ms. */
  readonly windowMs: number;
}

const RATE_LIMITS = Symbol('wss:rate-limits');
const PER = ['room', 'user', 'client'];

/**
 * Limits how often a command may come; several may stand on one method. A command beyond a limit is refused with
 * `rate_limited`, nothing is done, and its number stays next: `details` say when to send it again. Its handler does not
 * run, unless only the commit that it makes can tell. A repeat that has a record is not charged. Every other command
 * is, whatever its answer.
 *
 * It counts by the generic cell rate algorithm: `limit` commands may come at once, then one for each
 * `windowMs / limit`. A user's limit over all rooms is another: never more than `limit` commands in any window, on all
 * nodes together.
 */
export function RateLimit(options: RateLimitOptions): MethodDecorator {
  return (_target, _method, descriptor: PropertyDescriptor): void => {
    const method = descriptor.value as object;
    const others = (Reflect.getMetadata(RATE_LIMITS, method) as RateLimitOptions[] | undefined) ?? [];
    Reflect.defineMetadata(RATE_LIMITS, [options, ...others], method);
  };
}

/** The limits of one event's commands, ready to be judged. */
export class RateLimits {
  /** True if some count a connection. */
  readonly countClients: boolean;
  private readonly local: readonly RateCharge[];
  private readonly room: readonly RateCharge[];
  private readonly user: readonly RateCharge[];
  /** Those of a user over all rooms. */
  readonly overRooms: readonly UserLimit[];

  /** The limits that stand on a method; undefined if there are none. */
  static of(method: object, event: string, hasRoom: boolean): RateLimits | undefined {
    const limits = Reflect.getMetadata(RATE_LIMITS, method) as readonly RateLimitOptions[] | undefined;
    return limits && new RateLimits(limits, event, hasRoom);
  }

  private constructor(
    private readonly limits: readonly RateLimitOptions[],
    event: string,
    private readonly hasRoom: boolean,
  ) {
    const isOver = ({ per, overRooms = false }: RateLimitOptions): boolean =>
      per === 'user' && (overRooms || !hasRoom);
    const those = (wanted: string): RateCharge[] =>
      limits.filter((limit) => limit.per === wanted && !isOver(limit)).map((limit) => chargeOf(limit, event));
    this.overRooms = limits.filter(isOver).map((limit) => userLimitOf(limit, event));
    this.local = those('client');
    this.countClients = this.local.length > 0;
    this.room = those('room');
    this.user = those('user');
  }

  /** The fault of the options, if they have one. */
  problem(): string | undefined {
    const seen = new Set<string>();
    for (const { per, overRooms = false, limit, windowMs } of this.limits) {
      if (!PER.includes(per)) return "per must be 'room', 'user' or 'client'";
      if (typeof overRooms !== 'boolean') return 'overRooms must be true or false';
      if (overRooms && per !== 'user') return "overRooms needs per: 'user'";
      if (!isBetween(limit, 1_000_000)) return 'limit must be an integer from 1 to 1000000';
      if (!isBetween(windowMs, 86_400_000)) return 'windowMs must be an integer from 1 to 86400000';
      if (windowMs * 1_000 < limit) return 'windowMs must be a microsecond or more for each command';
      if (per === 'room' && !this.hasRoom) {
        return "per: 'room' needs a room: put @RoomType on the class, or limit per: 'user' or 'client'";
      }
      const key = `${per} ${overRooms && this.hasRoom} ${windowMs}`;
      if (seen.has(key)) return `per: '${per}' stands twice with windowMs ${windowMs}`;
      seen.add(key);
    }
    return undefined;
  }

  /** The limits as clients are told of them, in the order of the method. */
  stated(): StatedLimit[] {
    return this.limits.map(({ per, overRooms = false, limit, windowMs }) => {
      const ofUser = overRooms || !this.hasRoom ? 'user' : 'user in a room';
      const sharers = { room: 'room', user: ofUser, client: 'connection' } as const;
      return { per: sharers[per], limit, windowMs };
    });
  }

  /** The charges of a user's command to the limits of its room; undefined if there are none. */
  chargesOf(user: string): readonly RateCharge[] | undefined {
    if (this.user.length === 0) return this.room.length === 0 ? undefined : this.room;
    const own = this.user.map(({ name, stepUs, burstUs }) => ({ name: `${name}:${user}`, stepUs, burstUs }));
    return this.room.length === 0 ? own : [...this.room, ...own];
  }

  /**
   * Charges a client's command to the limits of its connection.
   * @param rates until when each limit of the connection is charged, µs
   * @param nowMs this process' steady clock
   * @throws GatewayError `rate_limited`; then none is charged
   */
  chargeClient(rates: () => Map<string, number>, nowMs: number): void {
    if (!this.countClients) return;
    const charged = rates();
    const now = nowMs * 1_000;
    const aheadOf = ({ name, stepUs }: RateCharge): number => Math.max(charged.get(name) ?? 0, now) + stepUs;
    let waitUs = 0;
    for (const limit of this.local) waitUs = Math.max(waitUs, aheadOf(limit) - limit.burstUs - now);
    // The clock has fractions of a microsecond.
    if (waitUs > 1) throw rateLimited(Math.ceil(waitUs / 1_000));
    for (const limit of this.local) charged.set(limit.name, aheadOf(limit));
  }

  /** Takes back a charge of {@link chargeClient}: the command was refused for another reason. */
  refundClient(rates: Map<string, number> | undefined): void {
    for (const { name, stepUs } of this.local) rates?.set(name, (rates.get(name) ?? 0) - stepUs);
  }
}

/** The error of a command beyond a limit. */
export function rateLimited(
  retryInMs: number,
  message = 'too many commands; wait and send it again',
): GatewayError {
  return new GatewayError('rate_limited', message, { details: [{ retryInMs }] });
}

function chargeOf({ per, limit, windowMs }: RateLimitOptions, event: string): RateCharge {
  const stepUs = Math.ceil((windowMs * 1_000) / limit);
  return { name: `${event}:${per[0]}${windowMs}`, stepUs, burstUs: limit * stepUs };
}

function userLimitOf({ limit, windowMs }: RateLimitOptions, event: string): UserLimit {
  return { name: `${event}:${windowMs}`, limit, windowMs };
}

function isBetween(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

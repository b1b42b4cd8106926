import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '@wss/testing';
import { type Loss, Member } from './member.js';

/** How large a {@link Crowd} is. */
export interface CrowdOptions {
  readonly url: string;
  readonly clients: number;
  readonly membersPerRoom: number;
  /** Makes the access tokens; without it clients say their names. */
  readonly tokenOf?: (name: string) => Promise<string>;
}

/** Experiences of a crowd. */
export interface CrowdReport {
  readonly commands: number;
  readonly losses: readonly Loss[];
  readonly failedAttempts: number;
  /** Of all lost connections, ms, ascending. */
  readonly outagesMs: readonly number[];
  /** Of all commands, ms. */
  readonly longestAnswerMs: number;
}

const WITHIN_MS = 180_000;
const PAUSE_MS = 1_000;

/** Many clients in many rooms, all of which send numbered commands and watch their room. */
export class Crowd {
  private constructor(private readonly rooms: readonly (readonly Member[])[]) {}

  /** Connects them all; when it resolves, all are in their rooms and work. */
  static async gather({ url, clients, membersPerRoom, tokenOf }: CrowdOptions): Promise<Crowd> {
    const id = randomUUID();
    const rooms = Array.from({ length: Math.ceil(clients / membersPerRoom) }, (_, at) => {
      const room = `chat:${id}-${at}` as const;
      const size = Math.min(membersPerRoom, clients - at * membersPerRoom);
      const names = Array.from({ length: size }, (__, member) => `u${at}-${member}`);
      return Promise.all(
        names.map(async (name) => {
          const token = await tokenOf?.(name);
          return new Member({ url, name, room, pauseMs: PAUSE_MS, ...(token !== undefined && { token }) });
        }),
      );
    });
    const crowd = new Crowd(await Promise.all(rooms));
    try {
      await Promise.all(crowd.members.map((member) => member.join()));
    } catch (error) {
      crowd.close();
      throw error;
    }
    for (const member of crowd.members) member.start();
    return crowd;
  }

  /** Commands answered until now. */
  get answered(): number {
    return sum(this.members.map(({ sent }) => sent));
  }

  /** Resolves when every client has had an answer to a command that it sent after this call. */
  async everybodyWorks(): Promise<void> {
    const before = this.members.map(({ sent }) => sent + 2);
    await eventually(
      () => {
        const waiting = this.members.filter(({ sent }, at) => sent < before[at]!);
        expect(waiting.map(({ options, mistakes }) => [options.name, ...mistakes])).toEqual([]);
      },
      { withinMs: WITHIN_MS, everyMs: 100 },
    );
  }

  /**
   * Lets the commands under way end and expects that each took effect exactly once, in its sender's order, and that
   * every member of a room has seen all of them, in one and the same order.
   */
  async finish(): Promise<CrowdReport> {
    await Promise.all(this.members.map((member) => member.stop()));
    expect(this.members.flatMap(({ mistakes }) => mistakes)).toEqual([]);
    for (const members of this.rooms) await expectOneLog(members);
    const { members } = this;
    const losses = members.flatMap((member) => member.losses);
    return {
      commands: this.answered,
      losses,
      failedAttempts: sum(members.map(({ failedAttempts }) => failedAttempts)),
      outagesMs: losses.map(({ outageMs }) => outageMs ?? Infinity).toSorted((a, b) => a - b),
      longestAnswerMs: Math.max(...members.map(({ longestAnswerMs }) => longestAnswerMs)),
    };
  }

  close(): void {
    for (const member of this.members) member.close();
  }

  private get members(): Member[] {
    return this.rooms.flat();
  }
}

async function expectOneLog(members: readonly Member[]): Promise<void> {
  const commands = sum(members.map(({ sent }) => sent));
  await eventually(
    () => expect(members.map(({ seen }) => seen.length)).toEqual(members.map(() => commands)),
    {
      withinMs: WITHIN_MS,
      everyMs: 100,
    },
  );
  const [first, ...others] = members.map(({ seen }) => seen.join());
  for (const other of others) expect(other).toBe(first);
  for (const { options, sent } of members) {
    const mine = members[0]!.seen.filter((text) => text.startsWith(`${options.name}.`));
    expect(mine).toEqual(Array.from({ length: sent }, (_, at) => `${options.name}.${at + 1}`));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

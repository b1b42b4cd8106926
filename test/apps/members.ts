import { expect } from '@jest/globals';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Hello, Room, WssClient } from '@wss/client';
import { eventually } from '@wss/testing';
import { WebSocket } from 'ws';

/** Clients that an application's own copy of the SDK makes. */
export interface MemberOptions {
  /** The application's folder. */
  readonly folder: string;
  readonly url: string;
  readonly room: `${string}:${string}`;
  /** Headers of a user's upgrade request. */
  readonly headersOf: (user: string) => Record<string, string>;
}

/** A client in a room, and all that it saw. */
export interface Member {
  readonly client: WssClient;
  readonly room: Room;
  readonly seqs: number[];
  readonly data: unknown[];
  readonly hellos: Hello[];
  /** Close codes of the connections that it lost. */
  readonly codes: number[];
}

const WITHIN_MS = 30_000;

/** Members of one room, connected by the package `@wss/client` that the application has installed. */
export class Members {
  private constructor(readonly all: readonly Member[]) {}

  /** Connects them; when it resolves, all are in the room. */
  static async join(users: readonly string[], options: MemberOptions): Promise<Members> {
    const entry = join(options.folder, 'node_modules/@wss/client/dist/index.js');
    const sdk = (await import(pathToFileURL(entry).href)) as typeof import('@wss/client');
    const members = new Members(users.map((user) => connect(sdk, user, options)));
    await Promise.all(members.all.map(({ room }) => room.join()));
    return members;
  }

  /** Waits until each has seen the events 1 to `last`, in this order, each once. */
  async see(last: number): Promise<void> {
    const expected = Array.from({ length: last }, (_, index) => index + 1);
    const shortest = (): number => Math.min(...this.all.map(({ seqs }) => seqs.length));
    await eventually(() => expect(shortest()).toBeGreaterThanOrEqual(last), { withinMs: WITHIN_MS });
    for (const { seqs } of this.all) expect(seqs).toEqual(expected);
  }

  close(): void {
    for (const { client } of this.all) client.close();
  }
}

function connect(
  { WssClient: Client }: typeof import('@wss/client'),
  user: string,
  { url, room: name, headersOf }: MemberOptions,
): Member {
  class UserSocket extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols, { headers: headersOf(user) });
    }
  }
  const client = new Client(url, { WebSocket: UserSocket });
  const room = client.room(name);
  const member: Member = { client, room, seqs: [], data: [], hellos: [], codes: [] };
  client.onHello((hello) => member.hellos.push(hello));
  client.onStatus((status) => {
    if (status.state === 'waiting') member.codes.push(status.code ?? 0);
  });
  room.on('poll.added', ({ seq, data }) => {
    member.seqs.push(seq!);
    member.data.push(data);
  });
  return member;
}

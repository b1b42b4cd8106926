import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { GrowingPause } from '@wss/protocol';
import type { RedisKeys } from '@wss/redis';
import type { Channels, MessageListener } from './channels.js';
import type { RoomListener } from './room-listener.js';
import type { Session, Sessions } from './sessions.js';

/** How often the engine is asked for sessions that went on elsewhere before the next interruption leads to it. */
const MOST_ATTEMPTS = 20;

/** Brings what is sent to users and clients to the node that has them. */
export class ClientRouting {
  private readonly logger = new Logger(ClientRouting.name);
  private readonly users = new Map<string, MessageListener>();

  constructor(
    private readonly nodeId: string,
    private readonly channels: Channels,
    private readonly keys: RedisKeys,
    private readonly listener: RoomListener,
  ) {}

  /** Listens for what concerns this node's clients one by one, and all of them. */
  async start(): Promise<void> {
    await Promise.all([
      this.channels.subscribe(this.keys.everyone, (message) => {
        const [, event, data] = parts(message);
        this.listener.deliverToAll(event, data);
      }),
      this.channels.subscribe(this.keys.clientsOf(this.nodeId), (message) => {
        const [clientId, event, data] = parts(message);
        this.listener.deliverToClient(clientId, event, data);
      }),
    ]);
  }

  /**
   * Ends the connections of sessions that went on elsewhere while this node did not hear of it: whenever channels of
   * users are heard again, the engine is asked.
   */
  watchTakeOvers(sessions: Pick<Sessions, 'takenOver'>): void {
    this.channels.onInterruption((heard) => {
      const isAsked = ({ user }: Session): boolean => heard.has(this.keys.user(user));
      void this.endTakenOver(() => sessions.takenOver(isAsked));
    });
  }

  /** The first client of a user came to this node. Resolves when nothing that is sent to the user is missed any more. */
  userCame(user: string): Promise<void> {
    const onMessage = (message: string): void => {
      if (message.startsWith(TAKE_OVER)) return this.onTakeOver(message);
      const [, event, data] = parts(message);
      this.listener.deliverToUser(user, event, data);
    };
    this.users.set(user, onMessage);
    return this.channels.keep(this.keys.user(user), onMessage);
  }

  /**
   * Tells all nodes that a session goes on here. At most once: a node that misses it keeps an old connection, whose
   * numbered commands are refused by their generation and which ends with its heartbeat.
   */
  sessionResumed({ id, user, generation }: Session): void {
    this.channels.publish(this.keys.user(user), `${TAKE_OVER}${id} ${generation}`).catch((error: Error) => {
      this.logger.warn(`other nodes did not learn of a resumed session: ${error.message}`);
    });
  }

  /** The last client of a user left this node. */
  userLeft(user: string): void {
    const onMessage = this.users.get(user);
    if (!onMessage) return;
    this.users.delete(user);
    this.channels.unsubscribe(this.keys.user(user), onMessage);
  }

  private async endTakenOver(
    find: () => Promise<readonly { id: string; generation: number }[]>,
  ): Promise<void> {
    const pause = new GrowingPause({ firstMs: 100, mostMs: 5_000 });
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      try {
        for (const { id, generation } of await find()) this.listener.sessionTakenOver(id, generation);
        return;
      } catch (error) {
        this.logger.debug(`sessions are compared later: ${(error as Error).message}`);
      }
      await delay(pause.next(), undefined, { ref: false });
    }
  }

  private onTakeOver(message: string): void {
    const [session, generation] = message.slice(TAKE_OVER.length).split(' ') as [string, string];
    this.listener.sessionTakenOver(session, Number(generation));
  }
}

/** Begins a message that tells of a resumed session; event frames begin with a line break or a client id. */
const TAKE_OVER = '!';

function parts(message: string): [clientId: string, event: string, data: string] {
  return message.split('\n') as [string, string, string];
}

import { Logger } from '@nestjs/common';
import type { RedisKeys } from '@wss/redis';
import type { Channels, MessageListener } from './channels.js';
import type { RoomListener } from './room-listener.js';
import type { Session } from './sessions.js';

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

  /** The first client of a user came to this node. */
  userCame(user: string): Promise<void> {
    const onMessage = (message: string): void => {
      if (message.startsWith(TAKE_OVER)) return this.onTakeOver(message);
      const [, event, data] = parts(message);
      this.listener.deliverToUser(user, event, data);
    };
    this.users.set(user, onMessage);
    return this.channels.subscribe(this.keys.user(user), onMessage);
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

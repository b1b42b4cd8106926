import type { RedisKeys } from '@wss/redis';
import type { Channels, MessageListener } from '../channels/channels.js';
import type { RoomListener } from '../rooms/room-listener.js';
import type { SessionStore } from './session-store.js';
import type { Session } from './sessions.js';
import { TakeOvers } from './take-overs.js';

/** A user who has clients here. */
interface UserHere {
  readonly onMessage: MessageListener;
  /** Resolves when the user's channel is heard. */
  readonly heard: Promise<void>;
}

/** Dependencies and settings of a node's routing. */
export interface ClientRoutingOptions {
  readonly nodeId: string;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly sessions: Pick<SessionStore, 'generations'>;
  readonly listener: Pick<
    RoomListener,
    'deliverToAll' | 'deliverToClient' | 'deliverToUser' | 'sessionTakenOver' | 'sessionsOf'
  >;
}

/** Brings what is sent to users and clients to the node that has them. */
export class ClientRouting {
  private readonly users = new Map<string, UserHere>();
  private readonly takeOvers: TakeOvers;

  constructor(private readonly options: ClientRoutingOptions) {
    const { channels, keys, sessions, listener } = options;
    this.takeOvers = new TakeOvers({
      announce: (user, { id, generation }) =>
        channels.publish(keys.user(user), `${TAKE_OVER}${id} ${generation}`),
      generationsOf: (ids) => sessions.generations(ids),
      sessionsOf: (user) => listener.sessionsOf(user),
      takenOver: (session, generation) => listener.sessionTakenOver(session, generation),
    });
    channels.onInterruption((heard) => {
      for (const user of this.users.keys()) if (heard.has(keys.user(user))) this.takeOvers.heard(user);
    });
  }

  /** Listens for what concerns this node's clients one by one, and all of them. */
  async start(): Promise<void> {
    const { nodeId, channels, keys, listener } = this.options;
    await Promise.all([
      channels.subscribe(keys.everyone, (message) => {
        const [, event, data] = parts(message);
        listener.deliverToAll(event, data);
      }),
      channels.subscribe(keys.clientsOf(nodeId), (message) => {
        const [clientId, event, data] = parts(message);
        listener.deliverToClient(clientId, event, data);
      }),
    ]);
  }

  /** The first client of a user came to this node. Resolves when nothing that is sent to the user is missed any more. */
  userCame(user: string): Promise<void> {
    const { channels, keys, listener } = this.options;
    const onMessage = (message: string): void => {
      if (message.startsWith(TAKE_OVER)) return this.onTakeOver(message);
      const [, event, data] = parts(message);
      listener.deliverToUser(user, event, data);
    };
    const kept = channels.keep(keys.user(user), onMessage);
    this.users.set(user, { onMessage, heard: kept.then(() => this.takeOvers.heard(user)) });
    return kept;
  }

  /** A session goes on here: tells all nodes, and finds out whether it went on elsewhere at the same time. */
  sessionResumed({ id, user, generation }: Pick<Session, 'id' | 'user' | 'generation'>): void {
    this.takeOvers.resumed(user, { id, generation });
    void this.users.get(user)?.heard.then(() => this.takeOvers.heard(user));
  }

  /** The last client of a user left this node. */
  userLeft(user: string): void {
    const known = this.users.get(user);
    if (!known) return;
    this.users.delete(user);
    const { channels, keys } = this.options;
    channels.unsubscribe(keys.user(user), known.onMessage);
  }

  /** Settles nothing any more. */
  close(): void {
    this.takeOvers.close();
  }

  private onTakeOver(message: string): void {
    const [session, generation] = message.slice(TAKE_OVER.length).split(' ') as [string, string];
    this.options.listener.sessionTakenOver(session, Number(generation));
  }
}

/** Begins a message that tells of a resumed session; event frames begin with a line break or a client id. */
const TAKE_OVER = '!';

function parts(message: string): [clientId: string, event: string, data: string] {
  return message.split('\n') as [string, string, string];
}

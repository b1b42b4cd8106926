import { ENDED_GENERATION } from '@wss/core';
import type { RedisKeys } from '@wss/redis';
import type { Channels, MessageListener } from '../channels/channels.js';
import { decodeDirect, encodeDirect } from '../channels/direct-message.js';
import type { StandingStore } from '../users/standing-store.js';
import type { SessionStore } from './session-store.js';
import type { Session } from './session-keeper.js';
import { type SessionHere, TakeOvers } from './take-overs.js';
import { type StandingListener, UserStandings } from './user-standings.js';

/** Takes messages for users and clients to those of this node. */
export interface DirectListener extends StandingListener {
  deliverToUser(user: string, event: string, data: string): void;
  deliverToClient(clientId: string, event: string, data: string): void;
  deliverToAll(event: string, data: string): void;
  /** Ends older connections of a session that goes on with this generation. */
  sessionTakenOver(session: string, generation: number): void;
  /** The sessions of a user that have a connection here. */
  sessionsOf(user: string): readonly SessionHere[];
}

/** A user with clients here. */
interface UserHere {
  readonly onMessage: MessageListener;
  /** Resolves when the user's channel is heard. */
  heard: Promise<void>;
}

/** Shared by all users whose channel is heard. */
const HEARD = Promise.resolve();

/** Dependencies and settings of a node's routing. */
export interface ClientRoutingOptions {
  readonly nodeId: string;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly sessions: Pick<SessionStore, 'generations'>;
  readonly standings: StandingStore;
  readonly listener: DirectListener;
  /** True if a user may have only one connection. Default false. */
  readonly single?: boolean;
}

/** Routes messages for users and clients to the nodes that have them. */
export class ClientRouting {
  private readonly users = new Map<string, UserHere>();
  private readonly takeOvers: TakeOvers;
  /** The standings of the users who have clients here. */
  readonly standings: UserStandings;

  constructor(private readonly options: ClientRoutingOptions) {
    const { channels, keys, sessions, standings: store, listener, single = false } = options;
    this.standings = new UserStandings({
      ...{ store, listener, single },
      publish: (user, standing) => channels.publish(keys.user(user), encodeDirect({ standing })),
    });
    this.takeOvers = new TakeOvers({
      announce: (user, { id, generation }) =>
        channels.publish(keys.user(user), encodeDirect({ session: id, generation })),
      generationsOf: (ids) => sessions.generations(ids),
      sessionsOf: (user) => listener.sessionsOf(user),
      takenOver: (session, generation) => listener.sessionTakenOver(session, generation),
      judge: (users) => this.standings.compare(users),
    });
    channels.onInterruption((heard) => {
      for (const user of this.users.keys()) {
        if (!heard.has(keys.user(user))) continue;
        this.standings.heardAgain(user);
        this.takeOvers.heard(user);
      }
    });
    this.holdReturning();
  }

  /** Lets frames wait for users whose channels are not heard, until they are and the standings are known. */
  private holdReturning(): void {
    const { channels, keys } = this.options;
    const prefix = keys.user('');
    const usersOf = (of: readonly string[]): string[] =>
      of.filter((channel) => channel.startsWith(prefix)).map((channel) => channel.slice(prefix.length));
    channels.onReturn({
      lost: (of) => usersOf(of).forEach((user) => this.users.has(user) && this.standings.lost(user)),
      returning: (of) =>
        usersOf(of).forEach((user) => this.users.has(user) && this.standings.returning(user)),
      refused: (of) => usersOf(of).forEach((user) => this.standings.letGo(user)),
    });
  }

  /** Listens for messages to single clients of this node, and to all clients. */
  async start(): Promise<void> {
    const { nodeId, channels, keys, listener } = this.options;
    await Promise.all([
      channels.subscribe(keys.everyone, (text) => {
        const message = decodeDirect(text);
        if ('event' in message) listener.deliverToAll(message.event, message.data);
        else if ('session' in message) listener.sessionTakenOver(message.session, message.generation);
      }),
      channels.subscribe(keys.clientsOf(nodeId), (text) => {
        const message = decodeDirect(text);
        if ('event' in message) listener.deliverToClient(message.clientId, message.event, message.data);
      }),
    ]);
  }

  /** The first client of a user comes to this node. Resolves when no message to the user can be missed any more. */
  userCame(user: string): Promise<void> {
    const { channels, keys, listener } = this.options;
    const onMessage = (text: string): void => {
      const message = decodeDirect(text);
      if ('event' in message) listener.deliverToUser(user, message.event, message.data);
      else if ('standing' in message) this.standings.heard(user, message.standing);
      else listener.sessionTakenOver(message.session, message.generation);
    };
    const here: UserHere = { onMessage, heard: HEARD };
    // The channel may be lost at once.
    this.users.set(user, here);
    const kept = channels.keep(keys.user(user), onMessage);
    here.heard = kept.then(() => {
      here.heard = HEARD;
      this.takeOvers.heard(user);
    });
    return kept;
  }

  /** A client of a user was admitted: it may have missed what was heard meanwhile. */
  clientCame(user: string): void {
    void this.users.get(user)?.heard.then(() => this.takeOvers.heard(user));
  }

  /** Tells all nodes that a session goes on here, and finds out if it went on elsewhere at the same time. */
  sessionResumed({ id, user, generation }: Pick<Session, 'id' | 'user' | 'generation'>): void {
    this.takeOvers.resumed(user, { id, generation });
    void this.users.get(user)?.heard.then(() => this.takeOvers.heard(user));
  }

  /** The last client of a user left this node. */
  userLeft(user: string): void {
    const known = this.users.get(user);
    if (!known) return;
    this.users.delete(user);
    this.standings.letGo(user);
    const { channels, keys } = this.options;
    channels.unsubscribe(keys.user(user), known.onMessage);
  }

  /**
   * Tells all nodes that a session was ended for good; resolves when that has succeeded.
   * @param user absent: unknown
   */
  sessionEnded(id: string, user?: string): Promise<void> {
    const { channels, keys } = this.options;
    const message = encodeDirect({ session: id, generation: ENDED_GENERATION });
    const channel = user === undefined ? keys.everyone : keys.user(user);
    return this.standings.untilTold(() => channels.publish(channel, message));
  }

  /** Stops settling take-overs. */
  close(): void {
    this.takeOvers.close();
    this.standings.close();
  }
}

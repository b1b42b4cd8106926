import { Injectable } from '@nestjs/common';
import { engineUnavailable, GatewayError, isEngineError } from '@wss/core';
import { parseRoomName } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { PeerContracts } from '../ports/ports.js';
import type { RoutedCommand } from './routed-command.js';

/** How long the same command is sent to other nodes before it is refused for good, ms. */
export const ELSEWHERE_MS = 60_000;
/** How long such a command is remembered, so that its next attempts are refused at once, ms. */
const REMEMBERED_MS = 600_000;
/** Largest number of remembered commands of a user; beyond it the oldest is forgotten, and may wait again. */
const MAX_PER_USER = 64;
/** Largest number of users with remembered commands; beyond it the user that came longest ago is forgotten. */
const MAX_USERS = 10_000;
/**
 * Number of a connection's commands that are sent to other nodes before the client is let go, so that it connects to
 * another one.
 */
const MAX_PER_CONNECTION = 2;

const RETRY_FROM_MS = 1_000;
const RETRY_TO_MS = 5_000;

/**
 * Judges commands that this node has no handler for. Their event does not exist unless another live node knows it:
 * during an update a client may have met a newer node before. Then the client has to go to that node.
 */
@Injectable()
export class UnknownEvents {
  /** User → command → its first arrival, ms of this process' steady clock; both in the order of arrival. */
  private readonly firstSeen = new Map<string, Map<string, number>>();

  constructor(private readonly peers: PeerContracts) {}

  /**
   * Returns the refusal of a command whose event has no handler, the given one unless another node knows the event.
   * @throws the error of reading the other nodes' contracts, if it is a bug
   */
  judge(command: RoutedCommand, refusal: GatewayError): Promise<GatewayError> {
    const { event, room } = command;
    const type = room === undefined ? undefined : parseRoomName(room)?.type;
    if (room !== undefined && type === undefined) return Promise.resolve(refusal);
    return this.decide(command, refusal, () => this.peers.knows(event, type));
  }

  /**
   * Returns the refusal of a command in a room of an undeclared kind.
   * @throws like {@link judge}
   */
  judgeRoom(command: RoutedCommand, refusal: GatewayError): Promise<GatewayError> {
    const type = parseRoomName(command.room!)!.type;
    return this.decide(command, refusal, () => this.peers.knowsRooms(type));
  }

  private async decide(
    command: RoutedCommand,
    refusal: GatewayError,
    isKnown: () => Promise<boolean>,
  ): Promise<GatewayError> {
    try {
      if (!(await isKnown()) || this.hasWaited(command)) return refusal;
    } catch (error) {
      if (!isEngineError(error)) throw error;
      return engineUnavailable(error);
    }
    this.sendElsewhere(command.client);
    const retryInMs = Math.round(RETRY_FROM_MS + Math.random() * (RETRY_TO_MS - RETRY_FROM_MS));
    return new GatewayError('unavailable', 'another node knows this event', { details: [{ retryInMs }] });
  }

  private hasWaited({ client, event, room = '', number }: RoutedCommand): boolean {
    const now = performance.now();
    const { user, session } = client;
    const key = JSON.stringify([session?.id ?? '', room, number?.n ?? event]);
    const seen = this.firstSeen.get(user) ?? new Map<string, number>();
    const first = seen.get(key);
    if (first !== undefined && now - first < REMEMBERED_MS) return now - first >= ELSEWHERE_MS;
    seen.delete(key);
    seen.set(key, now);
    this.firstSeen.delete(user);
    this.firstSeen.set(user, seen);
    forgetOldest(seen, (since) => seen.size > MAX_PER_USER || now - since >= REMEMBERED_MS);
    const newest = (commands: Map<string, number>): number => [...commands.values()].at(-1)!;
    forgetOldest(
      this.firstSeen,
      (commands) => this.firstSeen.size > MAX_USERS || now - newest(commands) >= REMEMBERED_MS,
    );
    return false;
  }

  /** The second time the client is let go, once its commands under way are answered. */
  private sendElsewhere(client: ClientSocket): void {
    client.sentElsewhere = (client.sentElsewhere ?? 0) + 1;
    if (client.sentElsewhere < MAX_PER_CONNECTION || client.whenIdle) return;
    client.pause();
    client.whenIdle = () => {
      client.closeWith(1012);
      client.dropFrames();
      client.resume();
    };
  }
}

function forgetOldest<T>(entries: Map<string, T>, isOver: (value: T) => boolean): void {
  for (const [key, value] of entries) {
    if (!isOver(value)) return;
    entries.delete(key);
  }
}

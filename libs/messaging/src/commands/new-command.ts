import type { CommandMembership, CommandNumber } from '@wss/core';
import type { ClientFrame } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import type { RoomState } from '../socket/room-state.js';
import { RoutedCommand } from './routed-command.js';

/** How long a command may take before it enters its commit, ms. */
export const COMMAND_TIMEOUT_MS = 10_000;

/** Creates the command. Its time runs from its arrival, whatever it waits for. */
export function commandFrom(
  client: ClientSocket,
  frame: ClientFrame,
  { bytes, state }: { readonly bytes: number; readonly state?: RoomState },
): RoutedCommand {
  const number = numberOf(client, frame);
  const deadline = (client.arrivedAt ?? performance.now()) + COMMAND_TIMEOUT_MS;
  const order = state?.order;
  return new RoutedCommand({
    client,
    frame,
    bytes,
    deadline,
    ...(order && { order }),
    ...(number && { number }),
  });
}

/** The membership that a command of a member has. */
export function membershipOf({ session }: ClientSocket, { place }: RoomState): CommandMembership {
  return { ...(session && { session: session.id }), ...(place && { heldUntil: place.seen }) };
}

function numberOf(
  { session }: ClientSocket,
  { n, ack = 0, epoch, room }: ClientFrame,
): CommandNumber | undefined {
  if (n === undefined || !session || room === undefined) return undefined;
  return {
    session: session.id,
    generation: session.generation,
    sessionEndsAt: session.endsAt,
    n,
    ack,
    // A closed epoch would prove that the commands died with it.
    ...(epoch !== undefined && session.provesLoss(room) && { epoch }),
  };
}

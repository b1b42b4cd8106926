import type { Provider } from '@nestjs/common';
import { Answers } from './answers.js';
import { CatchUp } from './catch-up.js';
import { ClientConnections, ConnectionPorts } from './client-connections.js';
import { CommandRouter } from './command-router.js';
import { Drain } from './drain.js';
import { Flusher } from './flusher.js';
import { Heartbeats } from './heartbeats.js';
import { Hub } from './hub.js';
import { JoinGuards } from './join-guards.js';
import { Memberships } from './memberships.js';
import { PresenceReader } from './presence-reader.js';
import { RoomAccess } from './room-access.js';
import { RoomDelivery } from './room-delivery.js';
import { RouteBuilder } from './routes.js';
import { SharedPaths } from './shared-paths.js';
import { SlowClients } from './slow-clients.js';
import { SystemHandlers } from './system-handlers.js';
import { UnknownEvents } from './unknown-events.js';

/**
 * Clients, their rooms on this node, and the way of their frames to handlers. The module that provides them also
 * provides the ports: `RoomSource`, `PresenceSource`, `ClientListener`, `Admission`, `NodeIdentity`, `SessionSource`,
 * `LaneNumbers`, `CommandRecorder`, `PeerContracts`.
 */
export const MESSAGING_PROVIDERS: readonly Provider[] = [
  Flusher,
  Hub,
  JoinGuards,
  RoomDelivery,
  Memberships,
  CatchUp,
  RoomAccess,
  PresenceReader,
  SlowClients,
  Heartbeats,
  RouteBuilder,
  SystemHandlers,
  UnknownEvents,
  CommandRouter,
  SharedPaths,
  Answers,
  ConnectionPorts,
  ClientConnections,
  Drain,
];

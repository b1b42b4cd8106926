import type { Provider } from '@nestjs/common';
import { bindClass } from '@wss/core';
import { Answers } from './commands/answers.js';
import { CatchUp } from './rooms/catch-up.js';
import { Arrivals } from './connections/arrivals.js';
import { ClientConnections, ConnectionPorts } from './connections/client-connections.js';
import { ConnectGuards } from './connections/connect-guards.js';
import { HalfOpen } from './connections/half-open.js';
import { Identification } from './connections/identification.js';
import { Sockets } from './connections/connections.js';
import { Upgrades } from './connections/upgrades.js';
import { CommandRouter } from './commands/command-router.js';
import { Departures, Drain } from './connections/drain.js';
import { Flusher } from './socket/flusher.js';
import { Heartbeats } from './connections/heartbeats.js';
import { Hub } from './connections/hub.js';
import { HistoryReader } from './commands/history-reader.js';
import { JoinGuards } from './rooms/join-guards.js';
import { MemberJudge } from './commands/member-judge.js';
import { Memberships } from './rooms/memberships.js';
import { PresenceReader } from './rooms/presence-reader.js';
import { ReadingShares } from './reading/reading-shares.js';
import { Removals } from './rooms/removals.js';
import { ReturnedMembers } from './rooms/returned-members.js';
import { RoomAccess } from './rooms/room-access.js';
import { RoomDelivery } from './rooms/room-delivery.js';
import { RouteBuilder } from './commands/routes.js';
import { Seats } from './ports/seats.js';
import { SharedPaths } from './adapter/shared-paths.js';
import { SlowClients } from './rooms/slow-clients.js';
import { SystemHandlers } from './rooms/system-handlers.js';
import { SurvivingNumbers } from './rooms/surviving-numbers.js';
import { UnknownEvents } from './commands/unknown-events.js';
import { UnknownNames } from './commands/unknown-names.js';
import { UsersHere } from './connections/users-here.js';

/**
 * Providers of clients, their rooms on this node, and the way of their frames to handlers. The module that provides
 * them also provides the ports: `RoomSource`, `PresenceSource`, `ClientListener`, `Admission`, `NodeIdentity`,
 * `SessionSource`, `LaneNumbers`, `HistorySource`, `CommandRecorder`, `UserRates`, `PeerContracts`.
 */
export const MESSAGING_PROVIDERS: readonly Provider[] = [
  Flusher,
  ReadingShares,
  Hub,
  JoinGuards,
  SurvivingNumbers,
  RoomDelivery,
  Memberships,
  Removals,
  bindClass(MemberJudge, ReturnedMembers),
  CatchUp,
  Seats,
  RoomAccess,
  PresenceReader,
  HistoryReader,
  SlowClients,
  Heartbeats,
  RouteBuilder,
  SystemHandlers,
  UnknownEvents,
  UnknownNames,
  CommandRouter,
  SharedPaths,
  Answers,
  ConnectGuards,
  Identification,
  UsersHere,
  ConnectionPorts,
  Upgrades,
  Arrivals,
  HalfOpen,
  Sockets,
  Departures,
  ClientConnections,
  Drain,
];

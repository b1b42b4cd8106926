import type { Provider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import {
  ClientRouting,
  ClusterPresence,
  ClusterModuleOptions,
  ClusterRooms,
  ClusterSessions,
  ClusterUsers,
  LiveContracts,
  FeedFaults,
  LostHistories,
  NodePresence,
  PlaceCounts,
  Revocations,
  RoomEndings,
  RoomExports,
  RoomFeed,
  SessionExpiry,
} from '@wss/cluster';
import { bind, bindFactory, HandlerOptions, RoomTypeRegistry, SessionHooks } from '@wss/core';
import {
  Admission,
  ClientLimits,
  ClientListener,
  ConnectGuardList,
  ErrorHints,
  Hub,
  HistorySource,
  LaneNumbers,
  NodeHearing,
  NodeIdentity,
  PeerContracts,
  PlaceSource,
  RevocationSource,
  RoomDelivery,
  RoomSource,
  SessionSource,
  UpgradeLimits,
} from '@wss/messaging';
import { Committer, CommitterOptions, DocumentRegistry, PartStore, RoomStore } from '@wss/state';
import { KnownRevocations } from '../admission/known-revocations.js';
import { OriginAdmission } from '../admission/origin-admission.js';
import { Origins } from '../admission/origins.js';
import { Engine } from '../engine/engine.js';
import { EngineWatch } from '../engine/engine-watch.js';
import { StoredHistory } from '../engine/stored-history.js';
import { StoredNumbers } from '../engine/stored-numbers.js';
import { ClusterPlaces } from './cluster-places.js';
import { NodeReadiness } from '../health/readiness.js';
import { WssSettings } from '../options/wss-settings.js';

/** The room feed, between the engine and the members of this node. */
const FEED: Provider = bindFactory(
  RoomFeed,
  [
    Engine,
    NodeIdentity,
    Committer,
    RoomDelivery,
    RoomTypeRegistry,
    DocumentRegistry,
    NodePresence,
    LostHistories,
    FeedFaults,
  ],
  (...[engine, { nodeId }, committer, delivery, types, documents, presence, losses, faults]) =>
    new RoomFeed({
      nodeId,
      store: engine.store,
      channels: engine.channels,
      keys: engine.keys,
      committer,
      listener: delivery,
      presence,
      losses,
      faults,
      typeOf: (room) => types.of(room),
      ...(engine.name === 'redis' && engine.canBeDurable && { durability: delivery }),
      emptyDocuments: (room) => new Map(documents.of(room).map(({ name, emptyJson }) => [name, emptyJson])),
    }),
);

const ROUTING: Provider = bindFactory(
  ClientRouting,
  [Engine, NodeIdentity, Hub, WssSettings],
  ({ channels, keys, standings, sessionStore: sessions }, { nodeId }, listener, { single }) =>
    new ClientRouting({ nodeId, channels, keys, sessions, standings, listener, single }),
);

/** Parts of the libraries that are made with the engine. */
const PARTS: readonly Provider[] = [
  FEED,
  ROUTING,
  bindFactory(
    EngineWatch,
    [Engine, Hub, NodeReadiness, RoomTypeRegistry],
    (engine, hub, readiness, types) => new EngineWatch({ engine, hub, readiness, types }),
  ),
  bindFactory(
    SessionExpiry,
    [Engine, SessionHooks, WssSettings],
    ({ sessionStore, waiting }, hooks, { sessionTtlMs }) =>
      new SessionExpiry(sessionStore, hooks, sessionTtlMs, async (session) => waiting?.forget(session)),
  ),
  bindFactory(
    RoomEndings,
    [Committer, Engine, ClusterPresence],
    (committer, { store, name, canBeDurable, knowsGates, sessionStore }, presence) =>
      new RoomEndings({
        ...{ committer, store, canBeDurable: name === 'redis' && canBeDurable, knowsGates },
        putOut: (room, who) => presence.ended(room, who, sessionStore),
      }),
  ),
  bindFactory(
    ClusterRooms,
    [RoomFeed, Committer, Engine, RoomEndings],
    (feed, committer, { channels, keys, store }, endings) =>
      new ClusterRooms(feed, committer, channels, keys, endings, new RoomExports(store, committer)),
  ),
];

/** Providers that put users out. */
const REVOCATIONS: readonly Provider[] = [
  bindFactory(
    Revocations,
    [Engine, ClientRouting, WssSettings, ClusterPresence],
    (
      { name, standings, sessionStore: sessions, channels, ...engine },
      routing,
      { maxTokenAgeMs },
      presence,
    ) => {
      const canBeDurable = name === 'redis' && engine.canBeDurable;
      const putOut = presence.putOut.bind(presence);
      const revocations = new Revocations({
        ...{ standings, sessions, routing, maxTokenAgeMs, canBeDurable, putOut },
        // Both came with one release.
        isKnownToAll: engine.knowsGates,
      });
      channels.onInterruption(() => revocations.kept.look());
      return revocations;
    },
  ),
  bindFactory(ClusterUsers, [Revocations], (revocations) => new ClusterUsers(revocations)),
  bindFactory(ClusterSessions, [Revocations], (revocations) => new ClusterSessions(revocations)),
  bindFactory(
    RevocationSource,
    [Engine, ClientRouting, WssSettings],
    ({ standings }, routing, { maxTokenAgeMs, single }) =>
      new KnownRevocations({
        standings,
        maxTokenAgeMs,
        single,
        enter: (user, standing) => routing.standings.enter(user, standing),
      }),
  ),
];

/** Binds the ports of the libraries to the engine, and to each other. */
export const ENGINE_PROVIDERS: readonly Provider[] = [
  ...PARTS,
  ...REVOCATIONS,
  bindFactory(ClusterModuleOptions, [Engine], ({ channels, keys, store, registry, jobs }) => ({
    channels,
    keys,
    store,
    registry,
    jobs,
  })),
  bindFactory(RoomStore, [Engine], ({ store }) => store),
  bindFactory(PartStore, [Engine], ({ userLimits }) => userLimits),
  bindFactory(CommitterOptions, [Engine, NodeIdentity], ({ channels }, { nodeId }) => ({ nodeId, channels })),
  bindFactory(SessionSource, [Engine], ({ sessions }) => sessions),
  bindFactory(NodeHearing, [Engine], ({ channels }) => channels),
  bindFactory(ClientLimits, [WssSettings], ({ maxRooms, framesPerSecond, bytesPerSecond }) => ({
    maxRooms,
    framesPerSecond,
    bytesPerSecond,
  })),
  bindFactory(UpgradeLimits, [WssSettings], ({ upgrades }) => upgrades),
  bindFactory(ConnectGuardList, [WssSettings], ({ connect }) => ({ guards: connect })),
  bindFactory(ErrorHints, [WssSettings], ({ auth }) => ({ showsNames: auth === 'none' })),
  bindFactory(HandlerOptions, [WssSettings], ({ globalEnhancers }) => ({ globalEnhancers })),
  bindFactory(
    HistorySource,
    [Engine, RoomTypeRegistry],
    ({ store }, types) => new StoredHistory(store, types),
  ),
  bindFactory(LaneNumbers, [Engine, RoomTypeRegistry], ({ store }, types) => new StoredNumbers(store, types)),
  bindFactory(
    Admission,
    [WssSettings, ModuleRef],
    ({ auth, origins: allowed, upgrades: { handshakeMs } }, modules) =>
      new OriginAdmission(
        { auth, handshakeMs },
        new Origins({ allowed, trustsHost: auth !== 'none' }),
        modules,
      ),
  ),
  bindFactory(PlaceCounts, [Engine], ({ places, registry }) => new PlaceCounts(places, registry)),
  bindFactory(PlaceSource, [PlaceCounts, WssSettings], (counts, limits) => new ClusterPlaces(counts, limits)),
  bind(RoomSource, RoomFeed),
  bind(ClientListener, ClientRouting),
  bind(PeerContracts, LiveContracts),
];

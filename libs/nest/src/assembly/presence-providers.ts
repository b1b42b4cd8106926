import type { Provider } from '@nestjs/common';
import { ClusterPresence, NodePresence } from '@wss/cluster';
import { bind, bindFactory, RoomTypeRegistry } from '@wss/core';
import { PresenceSource } from '@wss/messaging';
import { Engine } from '../engine/engine.js';
import { WssSettings } from '../options/wss-settings.js';

/** Providers of presence: this node's part of the lists, and the queries of features and clients. */
export const PRESENCE_PROVIDERS: readonly Provider[] = [
  bindFactory(NodePresence, [Engine, WssSettings], (engine, { presenceGraceMs: graceMs }) => {
    const { presence: store, registry, channels, keys, links } = engine;
    const presence = new NodePresence({ store, registry, graceMs });
    channels.onInterruption((heard) => presence.heardAgain((room) => heard.has(keys.room(room).channel)));
    links?.probes.clock.onStep(() => presence.clockStepped());
    return presence;
  }),
  bindFactory(
    ClusterPresence,
    [NodePresence, Engine, RoomTypeRegistry],
    (node, { presence }, types) =>
      new ClusterPresence(node, presence, (room) => types.of(room)?.presence === true),
  ),
  bind(PresenceSource, ClusterPresence),
];

import type { Provider } from '@nestjs/common';
import { ClusterPresence, NodePresence, Presence } from '@wss/cluster';
import { bind, bindFactory, RoomTypeRegistry } from '@wss/core';
import { PresenceSource } from '@wss/messaging';
import type { Config } from '../config.js';
import type { Engine } from '../engine/engine.js';

/** Providers of presence: this node's part of the lists, and the queries of features and clients. */
export function presenceProviders(config: Config, engine: Engine): Provider[] {
  const { presence: store, registry, channels, keys, links } = engine;
  return [
    bindFactory(NodePresence, [], () => {
      const presence = new NodePresence({ store, registry, graceMs: config.PRESENCE_GRACE_MS });
      channels.onInterruption((heard) => presence.heardAgain((room) => heard.has(keys.room(room).channel)));
      links?.probes.clock.onStep(() => presence.clockStepped());
      return presence;
    }),
    bindFactory(
      ClusterPresence,
      [NodePresence, RoomTypeRegistry],
      (node, types) => new ClusterPresence(node, store, (room) => types.of(room)?.presence === true),
    ),
    bind(Presence, ClusterPresence),
    bind(PresenceSource, ClusterPresence),
  ];
}

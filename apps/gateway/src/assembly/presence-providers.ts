import type { Provider } from '@nestjs/common';
import { ClusterPresence, NodePresence, Presence } from '@wss/cluster';
import { RoomTypes } from '@wss/core';
import { PresenceSource } from '@wss/messaging';
import type { Config } from '../config.js';
import type { Engine } from '../engine/engine.js';

/** Providers of presence: this node's part of the lists, and the queries of features and clients. */
export function presenceProviders(config: Config, engine: Engine): Provider[] {
  const { presence: store, registry, channels, keys, links } = engine;
  return [
    {
      provide: NodePresence,
      useFactory: () => {
        const presence = new NodePresence({ store, registry, graceMs: config.PRESENCE_GRACE_MS });
        channels.onInterruption((heard) => presence.heardAgain((room) => heard.has(keys.room(room).channel)));
        links?.probes.clock.onStep(() => presence.clockStepped());
        return presence;
      },
    },
    {
      provide: Presence,
      inject: [NodePresence, RoomTypes],
      useFactory: (node: NodePresence, types: RoomTypes) =>
        new ClusterPresence(node, store, (room) => types.of(room)?.presence === true),
    },
    { provide: PresenceSource, useExisting: Presence },
  ];
}

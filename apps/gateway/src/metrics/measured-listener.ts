import type { RoomListener } from '@wss/cluster';
import type { Hub } from '@wss/messaging';
import type { Metrics } from './metrics.js';

/** Counts what a listener delivers to the members of rooms. */
export function measuredListener(listener: RoomListener, hub: Hub, metrics: Metrics): RoomListener {
  const { deliveries, epochs } = metrics;
  return {
    deliver(room, epoch, entries) {
      const events = entries.reduce((sum, entry) => sum + entry.events.length, 0);
      deliveries.inc({ kind: 'log' }, events * hub.membersOf(room));
      listener.deliver(room, epoch, entries);
    },
    deliverVolatile(room, event, data, except) {
      deliveries.inc({ kind: 'volatile' }, hub.membersOf(room));
      listener.deliverVolatile(room, event, data, except);
    },
    deliverPresence: (...presence) => listener.deliverPresence(...presence),
    reset(room, before, reset) {
      epochs.inc({ outcome: 'reset' });
      return listener.reset(room, before, reset);
    },
    epochChanged(room, before, position) {
      epochs.inc({ outcome: 'continued' });
      return listener.epochChanged(room, before, position);
    },
    letGo: (room) => listener.letGo(room),
  };
}

import type { RoomReset } from '@wss/core';
import type { LogEntry, Position } from '@wss/protocol';
import type { NodePresence } from './node-presence.js';
import type { RoomListener } from '../rooms/room-listener.js';

/**
 * Hands everything on, and lets presence know what it needs of it: announcements, and where a room's history may
 * have changed (R21).
 */
export class PresenceListener implements RoomListener {
  constructor(
    private readonly listener: RoomListener,
    private readonly presence: NodePresence,
  ) {}

  deliver(room: string, epoch: string, entries: readonly LogEntry[]): void {
    this.listener.deliver(room, epoch, entries);
  }

  deliverVolatile(room: string, event: string, data: string, except?: string): void {
    this.listener.deliverVolatile(room, event, data, except);
  }

  deliverPresence(room: string, delta: string): void {
    this.presence.announced(room, delta);
    this.listener.deliverPresence(room, delta);
  }

  reset(room: string, before: Position, reset: RoomReset): Promise<void> {
    this.presence.historyChanged(room);
    return this.listener.reset(room, before, reset);
  }

  epochChanged(room: string, before: Position, position: Position): Promise<void> {
    this.presence.historyChanged(room);
    return this.listener.epochChanged(room, before, position);
  }

  letGo(room: string): void {
    this.listener.letGo(room);
  }
}

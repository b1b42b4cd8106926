import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import type { AttendedRoom } from './presence-room.js';
import type { PresenceStore } from './presence-store.js';

/** Dependencies and settings of {@link PresenceExits}. */
export interface PresenceExitsOptions {
  readonly store: PresenceStore;
  /** The room as this node looks after it. */
  readonly attend: (room: string) => AttendedRoom;
  /** False once the node stops. */
  readonly isOpen: () => boolean;
  /** Duration of the nodes' leases, and how often they are renewed, ms. */
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

/** Somebody who has to leave a room's presence. */
export interface PresenceExit {
  /** '': everybody. */
  readonly user: string;
  /** True: whatever node has the user. False: only nodes that give no sign of life. */
  readonly everywhere: boolean;
}

/** How long nodes have to take out the entries of their own clients, ms. */
const OWN_MS = 250;

/**
 * Lets users who were put out leave presence at once, though no connection of theirs is there to be closed. Each node
 * takes out its own clients; what is left then belongs to nodes that are dead or cut off.
 */
export class PresenceExits {
  private readonly faults = new LogGate((line) => new Logger('Presence').debug(line));

  constructor(private readonly options: PresenceExitsOptions) {}

  /** Resolves when no grace period of the user counts any more in the room; the rest follows. Never rejects. */
  async putOut(room: string, exit: PresenceExit): Promise<void> {
    if (await this.endGrace(room, exit)) void this.takeOutLater(room, exit);
  }

  /** @returns true if the user has entries, as far as it is known */
  private async endGrace(room: string, { user }: PresenceExit): Promise<boolean> {
    const { attend, isOpen } = this.options;
    if (!isOpen()) return false;
    try {
      return await attend(room).endGrace(user);
    } catch (error) {
      this.report(error as Error);
      return user !== '';
    }
  }

  private async takeOutLater(room: string, exit: PresenceExit): Promise<void> {
    const { heartbeatMs, isOpen } = this.options;
    for (const [afterMs, everywhere] of [
      [OWN_MS, exit.everywhere],
      // By now a node that was killed a moment before has missed heartbeats.
      [2 * heartbeatMs, false],
    ] as const) {
      await delay(afterMs, undefined, { ref: false });
      if (!isOpen() || !(await this.endGrace(room, exit))) return;
      try {
        const isSilent = everywhere ? (): boolean => true : await this.silentOwners();
        await this.options.attend(room).takeOut(exit.user, isSilent);
      } catch (error) {
        this.report(error as Error);
      }
    }
  }

  /** Returns a test for owners whose nodes have not renewed their leases for two heartbeats. */
  private async silentOwners(): Promise<(owner: string) => boolean> {
    const { store, leaseMs, heartbeatMs } = this.options;
    const { now, owners } = await store.look();
    const renewedBefore = now + leaseMs - 2 * heartbeatMs;
    const heard = owners.filter(({ leaseEndsAt = 0 }) => leaseEndsAt > renewedBefore);
    const names = new Set(heard.map(({ owner }) => owner));
    return (owner) => !names.has(owner);
  }

  private report({ message }: Error): void {
    this.faults.report('late', `users who were put out may count as present for their grace: ${message}`);
  }
}

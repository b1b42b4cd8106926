import type { Duplex } from 'node:stream';
import { Injectable, Logger } from '@nestjs/common';
import { kindOf, LogGate, settledMeanwhile, stackOf } from '@wss/protocol';
import { ClientListener } from '../ports/ports.js';

/** How long a client waits for its user's messages to be heard, ms; it may miss some if that takes longer. */
const HEARD_MS = 1_000;

/** A user with connections on this node. */
interface AttendedUser {
  connections: number;
  /** Settles when the user's messages are heard. */
  readonly heard: Promise<void>;
}

/**
 * Has the messages to users heard who have connections here, from the admission of the first one until the last socket
 * is closed: whatever is sent to a user after a client was greeted reaches that client.
 */
@Injectable()
export class UsersHere {
  private readonly warnings = new LogGate((line) => new Logger('Connections').warn(line));
  private readonly users = new Map<string, AttendedUser>();

  constructor(private readonly listener: ClientListener) {}

  /**
   * A connection of this user is being admitted; it counts until its socket is closed.
   * @returns resolves when messages to the user are heard, or after a while; never rejects
   */
  async came(user: string, socket: Duplex): Promise<void> {
    if (socket.destroyed) return;
    const here = this.users.get(user) ?? this.first(user);
    here.connections++;
    socket.on('close', () => this.left(user, here));
    await settledMeanwhile(here.heard, HEARD_MS);
  }

  private first(user: string): AttendedUser {
    const here = { connections: 0, heard: this.hear(user) };
    this.users.set(user, here);
    return here;
  }

  private left(user: string, here: AttendedUser): void {
    if (--here.connections > 0) return;
    this.users.delete(user);
    this.listener.userLeft(user);
  }

  private async hear(user: string): Promise<void> {
    try {
      await this.listener.userCame(user);
    } catch (error) {
      const line = `messages to a user may not arrive: ${stackOf(error)}`;
      this.warnings.report(`announce ${kindOf(error)}`, line);
    }
  }
}

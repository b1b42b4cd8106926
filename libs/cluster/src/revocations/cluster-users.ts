import { GatewayError } from '@wss/core';
import { isUserName } from '@wss/protocol';
import { requireOptions } from '../rooms/room-endings.js';
import type { Revocations } from './revocations.js';
import { type DisconnectOptions, type RevokeOptions, Sessions, Users } from './users.js';

const SESSION = /^[A-Za-z0-9_-]{1,64}$/;

/** {@link Users} on this node's engine. */
export class ClusterUsers extends Users {
  constructor(private readonly revocations: Revocations) {
    super();
  }

  disconnect(user: string, options: DisconnectOptions = {}): Promise<void> {
    return this.revocations.audited(['disconnect', user, options], () => {
      requireName(user);
      requireAudit(options);
      return this.revocations.disconnect(user);
    });
  }

  revoke(user: string, options: RevokeOptions): Promise<void> {
    return this.revocations.audited(['revoke', user, options], () => {
      requireName(user);
      requireAudit(options);
      requireBy(options);
      return this.revocations.revokeUser(user);
    });
  }
}

/** {@link Sessions} on this node's engine. */
export class ClusterSessions extends Sessions {
  constructor(private readonly revocations: Revocations) {
    super();
  }

  revoke(id: string, options: RevokeOptions): Promise<void> {
    return this.revocations.audited(['revoke_session', id, options], () => {
      demand(typeof id === 'string' && SESSION.test(id), 'the id of a session is 1 to 64 of A-Z a-z 0-9 _ -');
      requireAudit(options);
      requireBy(options);
      return this.revocations.revokeSession(id);
    });
  }
}

function requireName(user: string): void {
  demand(isUserName(user), 'a user is a text of 1 to 128 characters without control characters');
}

/** Judges what the log line needs before the effect, which comes before the line. */
function requireAudit(options: DisconnectOptions): void {
  requireOptions(options);
  const { by, reason } = options as { by?: unknown; reason?: unknown };
  if (by !== undefined) requireBy({ by });
  demand(reason === undefined || typeof reason === 'string', '"reason" is a text');
}

function requireBy({ by }: { readonly by?: unknown }): void {
  demand(isUserName(by), '"by" names who asks for it, in 1 to 128 characters');
}

function demand(isFit: boolean, message: string): void {
  if (!isFit) throw new GatewayError('invalid', message);
}

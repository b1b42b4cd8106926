import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  HttpException,
  Injectable,
  type OnModuleInit,
  Optional,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AskedGuard, NO_CLAIMS, providedOrMade } from '@wss/core';
import { type AttachedClaims, attachedTo, ownClaims } from '../ports/claims.js';
import { type Admitted, ConnectGuardList, UpgradeRefusal } from '../ports/ports.js';
import { clientAddress } from './client-addresses.js';

/** The pattern of the context in which connect guards are asked. */
const CONNECT = '$connect';

/** A client that asks to connect, as the guards of the option `connect` see it. */
export interface ConnectingClient {
  /** Name of the user, as admission has proven it. */
  readonly user: string;
  /** The upgrade request. */
  readonly request: IncomingMessage;
  /** Address of the client, seen through the trusted proxies; undefined if it has gone. */
  readonly address: string | undefined;
  /** The claims of the admission; what a guard adds or changes here is at `command.client.claims` from then on. */
  claims: Record<string, unknown>;
}

/** Asks the guards of the option `connect`, in order, at each upgrade. */
@Injectable()
export class ConnectGuards implements OnModuleInit {
  private guards: readonly AskedGuard[] = [];

  constructor(
    private readonly modules: ModuleRef,
    @Optional() private readonly list?: ConnectGuardList,
  ) {}

  /** @throws Error when a guard can't be made */
  async onModuleInit(): Promise<void> {
    this.guards = await Promise.all((this.list?.guards ?? []).map((given) => this.ready(given)));
  }

  /**
   * Returns the claims that the guards attach to a client.
   * @throws UpgradeRefusal when a guard refuses it; what a guard throws otherwise
   */
  async ask(admitted: Admitted, request: IncomingMessage): Promise<AttachedClaims | undefined> {
    if (this.guards.length === 0) return undefined;
    const proven = admitted.claims ?? NO_CLAIMS;
    const client = connectingClient(admitted.user, structuredClone(proven), request);
    for (const guard of this.guards) await requireLeave(guard, client);
    return attachedTo(proven, ownClaims(client.claims, 'the guards of the option connect leave'));
  }

  private async ready(given: Type<CanActivate> | CanActivate): Promise<AskedGuard> {
    return new AskedGuard(typeof given === 'function' ? await providedOrMade(this.modules, given) : given);
  }
}

/** A client of which guards may change the claims alone. */
function connectingClient(
  user: string,
  claims: Record<string, unknown>,
  request: IncomingMessage,
): ConnectingClient {
  const client = { user, request, address: clientAddress(request), claims };
  for (const name of ['user', 'request', 'address']) Object.defineProperty(client, name, { writable: false });
  return client;
}

async function requireLeave(guard: AskedGuard, client: ConnectingClient): Promise<void> {
  const { name } = guard.type;
  const details = { log: `${name} (the option connect) refused it`, kind: name, check: 'guard' };
  let answer: unknown;
  try {
    answer = await guard.allows([client, {}, CONNECT]);
  } catch (error) {
    throw refusalOf(error, details) ?? error;
  }
  if (!answer) throw new UpgradeRefusal(403, 'this client may not connect', details);
}

/** The refusal that a guard means when it throws; undefined: a fault of the guard. */
function refusalOf(
  thrown: unknown,
  details: { log: string; kind: string; check: string },
): UpgradeRefusal | undefined {
  if (thrown instanceof UpgradeRefusal) return thrown;
  if (!(thrown instanceof HttpException)) return undefined;
  const status = thrown.getStatus();
  // The text is the application's, and may hold what the client sent.
  const log = `${details.log}; the client got the reason`;
  return status >= 400 && status <= 599
    ? new UpgradeRefusal(status, thrown.message, { ...details, log })
    : undefined;
}

import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { Client } from '../commands/client.js';
import { HandlerExplorer } from '../handlers/handler-explorer.js';

const ON_SESSION = 'wss:on-session';

/** A session that goes on in a new connection. */
export interface ResumedSession {
  readonly id: string;
  readonly user: string;
  /** Its new connection. */
  readonly client: Client;
  /** Rooms that it is a member of; a room is silent until the client joins with its position. */
  readonly rooms: readonly string[];
}

/** A session that can't be resumed any more. */
export interface ExpiredSession {
  readonly id: string;
  readonly user: string;
}

/** The changes of sessions that features can listen to, by name. */
export interface SessionChanges {
  /** Runs on the node of the new connection, each time; the client has been greeted, and its commands do not wait. */
  resumed: ResumedSession;
  /**
   * Runs on one node, a few seconds after the session's end, and never while it is connected. It runs at least once:
   * if that node dies meanwhile, another one calls it again. Sessions that Redis loses in a failover may be left out.
   */
  expired: ExpiredSession;
}

type SessionHook<Change extends keyof SessionChanges> = (session: SessionChanges[Change]) => unknown;

/**
 * Has a provider's method called when a session is `resumed` or `expired`. It may be asynchronous; nobody waits for
 * it, and its errors are logged.
 */
export function OnSession<Change extends keyof SessionChanges>(change: Change) {
  return <Method extends SessionHook<Change>>(
    _target: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => Reflect.defineMetadata(ON_SESSION, change, descriptor.value!);
}

interface NamedHook {
  readonly name: string;
  run(session: SessionChanges[keyof SessionChanges]): unknown;
}

/** The application's `@OnSession` methods. */
@Injectable()
export class SessionHooks implements OnModuleInit {
  private readonly logger = new Logger('Sessions');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly hooks = new Map<keyof SessionChanges, NamedHook[]>();

  constructor(private readonly explorer: HandlerExplorer) {}

  /** @throws Error when a class with such a method is request-scoped */
  onModuleInit(): void {
    for (const { instance, class: owner, method, callback, metadata } of this.explorer.methodsWith(
      ON_SESSION,
    )) {
      const change = metadata as keyof SessionChanges;
      const hook = { name: `${owner.name}.${method}`, run: callback.bind(instance) };
      this.hooks.set(change, [...(this.hooks.get(change) ?? []), hook]);
    }
  }

  /** Calls the methods; resolves when all are done, and never rejects. */
  async run<Change extends keyof SessionChanges>(
    change: Change,
    session: SessionChanges[Change],
  ): Promise<void> {
    await Promise.all((this.hooks.get(change) ?? []).map((hook) => this.call(hook, session)));
  }

  private async call({ name, run }: NamedHook, session: SessionChanges[keyof SessionChanges]): Promise<void> {
    try {
      await run(session);
    } catch (error) {
      this.faults.report(`${name} ${kindOf(error)}`, `${name} failed: ${stackOf(error)}`);
    }
  }
}

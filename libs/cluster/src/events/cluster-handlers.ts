import { Injectable, Logger } from '@nestjs/common';
import { MessagePattern, Server } from '@nestjs/microservices';
import {
  PARAM_ARGS_METADATA,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
} from '@nestjs/microservices/constants.js';
import { type DecoratedMethod, HandlerContexts, HandlerExplorer, RpcParamsFactory } from '@wss/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { ClusterContext } from './cluster-context.js';
import { checkGroup } from './job-group-name.js';
import { groupNameOf, isUnnamed, PatternOwner } from './pattern-owner.js';

/** A handler with its guards, pipes, interceptors and filters, ready to be called. */
export interface ClusterHandler {
  /** Class and method, for messages. */
  readonly name: string;
  handle(data: unknown, context: ClusterContext): Promise<unknown>;
}

/** The handlers of a node. */
export interface ClusterTable {
  /** Event → all its handlers. */
  readonly events: ReadonlyMap<string, readonly ClusterHandler[]>;
  /** Call → its handler. */
  readonly calls: ReadonlyMap<string, ClusterHandler>;
  /** Group → job → its handler. */
  readonly jobs: ReadonlyMap<string, ReadonlyMap<string, ClusterHandler>>;
}

/**
 * Finds the `@EventPattern` and `@MessagePattern` methods that hear the cluster, as {@link PatternOwner} decides. Guards,
 * pipes, interceptors and filters of their classes and methods run on them; global ones do not, as in a microservice that
 * is connected to an application without `inheritAppConfig`.
 */
@Injectable()
export class ClusterHandlers {
  private readonly logger = new Logger(ClusterHandlers.name);

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly contexts: HandlerContexts,
    private readonly owner: PatternOwner,
  ) {}

  /** @throws Error that says what to do: two handlers for one call or job, no pattern, a request-scoped class. */
  build(): ClusterTable {
    const events = new Map<string, ClusterHandler[]>();
    const calls = new Map<string, ClusterHandler>();
    const jobs = new Map<string, Map<string, ClusterHandler>>();
    for (const found of this.methods()) {
      const handler = this.handlerOf(found);
      const isCall = kindOf(found.callback) === CALL;
      const group = isCall ? undefined : groupOf(found, handler.name);
      for (const pattern of found.metadata as unknown[]) {
        const route = routeOf(pattern, handler.name);
        if (isCall) addOnly(calls, `the call "${route}"`, [route, handler]);
        else if (group !== undefined) addJob(jobs, group, [route, handler]);
        else events.set(route, [...(events.get(route) ?? []), handler]);
      }
    }
    return { events, calls, jobs };
  }

  /** Methods that hear the cluster, each once, even if Nest holds its class in several places. */
  private *methods(): Generator<DecoratedMethod> {
    const owners = new Map<unknown, object>();
    const unnamed: string[] = [];
    for (const found of this.explorer.methodsWith(PATTERN_METADATA, this.owner.judge())) {
      const owner = owners.get(found.class) ?? found.instance;
      owners.set(found.class, owner);
      if (owner !== found.instance) {
        this.warnOfSecond(found);
        continue;
      }
      if (isUnnamed(found)) unnamed.push(`${found.class.name}.${found.method}`);
      yield found;
    }
    if (unnamed.length > 0) this.owner.onTooLate(() => this.warnOfShared(unnamed));
  }

  private warnOfShared(names: readonly string[]): void {
    this.logger.warn(
      `a microservice was connected after the handlers were found, so ${names.join(', ')} hear it and the cluster; connect it before app.init() and app.listen(), or name CLUSTER_TRANSPORT in the decorators`,
    );
  }

  private warnOfSecond({ class: { name }, method }: DecoratedMethod): void {
    const remedy = 'provide the class in one module, as a provider or a controller';
    this.logger.warn(`${name} exists more than once; ${name}.${method} runs on the first only: ${remedy}`);
  }

  private handlerOf(found: DecoratedMethod): ClusterHandler {
    const run = this.contexts.create(found, {
      type: 'rpc',
      paramsKey: PARAM_ARGS_METADATA,
      params: new RpcParamsFactory(),
      commands: false,
    });
    return {
      name: `${found.class.name}.${found.method}`,
      handle: async (data, context) => {
        const result = await run(data, context);
        // Nest's own filters for microservices answer with an Observable that fails.
        return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
      },
    };
  }
}

/** Nest's number for the kind of a handler: of events or of calls. */
function kindOf(method: object): unknown {
  return Reflect.getMetadata(PATTERN_HANDLER_METADATA, method);
}

/** The kind of methods that answer calls; asked of the decorator, since Nest keeps its name to itself. */
const CALL = ((): unknown => {
  class Probe {
    @MessagePattern('probe')
    method(): void {}
  }
  return kindOf(Probe.prototype.method);
})();

/** The name under which Nest's own transports keep a pattern. */
function routeOf(pattern: unknown, name: string): string {
  const route: unknown = pattern == null ? '' : Server.prototype['normalizePattern'](pattern as string);
  if (typeof route === 'string' && route !== '') return route;
  throw new Error(`${name}: the decorator needs a pattern, such as @EventPattern<string>('room.closed')`);
}

/** The group whose jobs a method runs; undefined for a handler of events. */
function groupOf(found: DecoratedMethod, name: string): string | undefined {
  const named = groupNameOf(found);
  if (named === undefined) return undefined;
  const group = String(named);
  try {
    checkGroup(group);
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
  return group;
}

function addJob(
  jobs: Map<string, Map<string, ClusterHandler>>,
  group: string,
  [route, handler]: [string, ClusterHandler],
): void {
  const ofGroup = jobs.get(group) ?? new Map<string, ClusterHandler>();
  jobs.set(group, ofGroup);
  addOnly(ofGroup, `the job "${route}" of "${group}"`, [route, handler]);
}

function addOnly(
  handlers: Map<string, ClusterHandler>,
  what: string,
  [route, handler]: [string, ClusterHandler],
): void {
  const other = handlers.get(route);
  if (other) {
    const remedy = 'it has one handler per node, so rename one or merge them';
    throw new Error(`${what} is handled twice: by ${other.name} and ${handler.name}; ${remedy}`);
  }
  handlers.set(route, handler);
}

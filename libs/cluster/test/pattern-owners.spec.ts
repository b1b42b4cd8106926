import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AddressInfo, type Server } from 'node:net';
import {
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type INestApplication,
  Injectable,
  Logger,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { ClientTCP, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MemoryEngine } from '@wss/state';
import { eventually, newSeed, Random } from '@wss/testing';
import { firstValueFrom, NEVER, toArray } from 'rxjs';
import { Cluster, CLUSTER_TRANSPORT, ClusterModule, ClusterTransport } from '../src/index.js';
import { ClusterHandlers, type ClusterTable } from '../src/events/cluster-handlers.js';
import { memoryLinks } from './memory-links.js';

const APPS = 80;

const PATTERNS = ['a', 'b', { cmd: 'c' }] as const;

/** The part of a decorator besides its pattern. */
type Naming = 'nothing' | 'cluster' | 'tcp' | 'kafka' | 'group' | 'bad group';
const NAMINGS: readonly Naming[] = [
  'nothing',
  'nothing',
  'nothing',
  'cluster',
  'tcp',
  'kafka',
  'group',
  'bad group',
];

interface PlannedMethod {
  readonly kind: 'event' | 'call';
  readonly pattern: (typeof PATTERNS)[number];
  readonly naming: Naming;
}

interface PlannedClass {
  readonly name: string;
  readonly as: 'provider' | 'controller' | 'both';
  readonly perRequest: boolean;
  readonly method: PlannedMethod;
}

interface PlannedApp {
  readonly classes: readonly PlannedClass[];
  /** True if a microservice on TCP is connected. */
  readonly other: boolean;
  /** True if the cluster transport is connected as a microservice, too. */
  readonly connected: boolean;
}

function planOf(random: Random): PlannedApp {
  const classes = Array.from({ length: 1 + random.below(5) }, (_, index): PlannedClass => {
    const kind = random.pick(['event', 'event', 'call'] as const);
    // Only events have groups.
    const naming = kind === 'call' ? random.pick(NAMINGS.slice(0, 6)) : random.pick(NAMINGS);
    return {
      name: `Class${index}`,
      as: random.pick(['provider', 'controller', 'controller', 'both'] as const),
      perRequest: random.below(6) === 0,
      method: { kind, pattern: random.pick(PATTERNS), naming },
    };
  });
  return { classes, other: random.below(2) === 0, connected: random.below(2) === 0 };
}

/** The classes whose method hears the cluster, by the documented rule. */
function heard({ classes, other }: PlannedApp): PlannedClass[] {
  return classes.filter(({ as, method: { naming } }) => {
    if (naming === 'tcp' || naming === 'kafka') return false;
    if (naming === 'cluster' || naming === 'group') return true;
    return as !== 'controller' || !other;
  });
}

const jsonOf = (pattern: unknown): string => JSON.stringify(pattern);

/** True if the handlers of the cluster can't work together; those of others do not count. */
function isRefused(plan: PlannedApp): boolean {
  const ours = heard(plan);
  const single = ours.filter(({ method: { kind, naming } }) => kind === 'call' || naming === 'group');
  const names = single.map(({ method }) => `${method.kind} ${jsonOf(method.pattern)}`);
  const twice = new Set(names).size < names.length;
  return twice || ours.some(({ perRequest, method }) => perRequest || method.naming === 'bad group');
}

function decoratorOf({ kind, pattern, naming }: PlannedMethod): MethodDecorator {
  const decorate = (kind === 'call' ? MessagePattern : EventPattern) as (
    ...args: unknown[]
  ) => MethodDecorator;
  if (naming === 'cluster') return decorate(pattern, CLUSTER_TRANSPORT);
  if (naming === 'tcp') return decorate(pattern, Transport.TCP);
  if (naming === 'kafka') return decorate(pattern, Transport.KAFKA, { group: 'its own' });
  if (naming === 'group') return decorate(pattern, { group: 'jobs' });
  if (naming === 'bad group') return decorate(pattern, { group: { not: 'a name' } });
  return decorate(pattern);
}

function classOf({ name, as, perRequest, method }: PlannedClass): Type<object> {
  const { [name]: type } = {
    [name]: class {
      on(): string {
        return name;
      }
    },
  };
  const descriptor = Object.getOwnPropertyDescriptor(type!.prototype, 'on')!;
  decoratorOf(method)(type!.prototype as object, 'on', descriptor);
  const scope = perRequest ? Scope.REQUEST : Scope.DEFAULT;
  (as === 'provider' ? Injectable({ scope }) : Controller({ scope }))(type!);
  return type!;
}

let app: INestApplication;
let warnings: string[];

async function create(metadata: ModuleMetadata, { other = false, connected = false } = {}): Promise<void> {
  @Module({ ...metadata, imports: [ClusterModule.forNode(memoryLinks(new MemoryEngine(), 'a'))] })
  class RootModule {}
  app = await NestFactory.create(RootModule, new FastifyAdapter(), { abortOnError: false });
  if (connected) app.connectMicroservice({ strategy: app.get(ClusterTransport) });
  if (other) connectOther();
}

function connectOther(): void {
  app.connectMicroservice({ transport: Transport.TCP, options: { port: 0, host: '127.0.0.1' } });
}

function namesOf({ events, calls, jobs }: ClusterTable): string[] {
  const named = (kind: string, [pattern, { name }]: [string, { name: string }]) =>
    `${kind} ${pattern} ${name}`;
  return [
    ...[...events].flatMap(([pattern, all]) => all.map((each) => named('event', [pattern, each]))),
    ...[...calls].map((entry) => named('call', entry)),
    ...[...(jobs.get('jobs') ?? [])].map((entry) => named('job', entry)),
  ].sort();
}

function expectedNames(plan: PlannedApp): string[] {
  return heard(plan)
    .map(({ name, method: { kind, pattern, naming } }) => {
      const route = typeof pattern === 'string' ? pattern : jsonOf(pattern);
      return `${naming === 'group' ? 'job' : kind} ${route} ${name}.on`;
    })
    .sort();
}

beforeEach(() => {
  warnings = [];
  const ignore = (): void => undefined;
  Logger.overrideLogger({
    log: ignore,
    error: ignore,
    warn: (message: unknown) => void warnings.push(String(message)),
  });
});
afterEach(async () => {
  Logger.overrideLogger(['error', 'fatal']);
  await app.close();
});

describe('the owner of a pattern', () => {
  it('is found by the documented rule, and the methods of others never stop the boot', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const counts = { refused: 0, built: 0 };
    for (let play = 0; play < APPS; play++) {
      const plan = planOf(random);
      const classes = plan.classes.map((each) => [each.as, classOf(each)] as const);
      const of = (...as: string[]): Type<object>[] =>
        classes.filter(([each]) => as.includes(each)).map(([, type]) => type);
      await create({ providers: of('provider', 'both'), controllers: of('controller', 'both') }, plan);
      const booted = await app.init().then(
        () => namesOf(app.get(ClusterHandlers, { strict: false }).build()),
        () => 'refused',
      );
      const expected = isRefused(plan) ? 'refused' : expectedNames(plan);
      expect({ seed, play, plan, booted }).toEqual({ seed, play, plan, booted: expected });
      counts[expected === 'refused' ? 'refused' : 'built']++;
      await app.close();
    }
    expect(Math.min(counts.refused, counts.built)).toBeGreaterThan(0);
    process.stdout.write(`pattern-owners: ${JSON.stringify({ seed, apps: APPS, ...counts })}\n`);
  }, 60_000);
});

const seen: string[] = [];

@Controller()
class OrderController {
  @MessagePattern('order.read')
  read(@Payload() id: number): string {
    return `order ${id}`;
  }

  @EventPattern<string>('order.closed')
  closed(): void {
    seen.push('controller');
  }

  @EventPattern<string>('order.closed', CLUSTER_TRANSPORT)
  closedElsewhere(): void {
    seen.push('cluster');
  }
}

@Controller({ scope: Scope.REQUEST })
class RequestController {
  @MessagePattern('order.read.again')
  read(): string {
    return 'again';
  }
}

/** Takes the only call of the cluster, under a pattern that a controller has for the other microservice. */
@Injectable()
class OrderHandlers {
  @MessagePattern('order.read')
  read(@Payload() id: number): string {
    return `of the cluster ${id}`;
  }
}

describe('an application with another microservice', () => {
  const ask = async (pattern: string): Promise<unknown[]> =>
    firstValueFrom(app.get(Cluster).call(pattern, 7).pipe(toArray()));

  it('leaves its controllers to it, and answers the cluster beside it', async () => {
    seen.length = 0;
    const parts = { controllers: [OrderController, RequestController], providers: [OrderHandlers] };
    await create(parts, { other: true, connected: true });
    await app.startAllMicroservices();
    await app.init();
    const [, tcp] = (app as unknown as { getMicroservices(): { unwrap<T>(): T }[] }).getMicroservices();
    const { port } = tcp!.unwrap<Server>().address() as AddressInfo;
    const client = new ClientTCP({ port, host: '127.0.0.1' });
    expect(await firstValueFrom(client.send('order.read', 7))).toBe('order 7');
    expect(await firstValueFrom(client.send('order.read.again', 7))).toBe('again');
    expect(await ask('order.read')).toEqual([{ nodeId: 'a', data: 'of the cluster 7' }]);
    expect(await ask('order.read.again')).toMatchObject([{ error: { code: 'unknown_event' } }]);
    await app.get(Cluster).emit('order.closed');
    await firstValueFrom(client.emit('order.closed', {}), { defaultValue: undefined });
    await eventually(() => expect([...seen].sort()).toEqual(['cluster', 'controller']));
    client.close();
  });

  it('warns of one that is connected when the handlers have been found', async () => {
    await create({ controllers: [OrderController] }, { connected: true });
    await app.init();
    expect(await app.startAllMicroservices()).toBe(app);
    expect(await ask('order.read')).toEqual([{ nodeId: 'a', data: 'order 7' }]);
    expect(warnings).toEqual([]);
    connectOther();
    expect(warnings).toEqual([
      expect.stringMatching(
        /so OrderController\.read, OrderController\.closed hear it and the cluster; connect it before/,
      ),
    ]);
  });

  it('does not warn where no controller is shared', async () => {
    await create({ providers: [OrderHandlers] }, { connected: true });
    await app.init();
    connectOther();
    expect(warnings).toEqual([]);
  });
});

@Injectable()
class Hostile implements CanActivate, NestInterceptor, PipeTransform {
  canActivate(): boolean {
    return false;
  }

  intercept(): typeof NEVER {
    return NEVER;
  }

  transform(): never {
    throw new RangeError('no');
  }
}

@Catch()
class HostileFilter implements ExceptionFilter {
  catch(): string {
    return 'swallowed';
  }
}

@Injectable()
class FailingHandlers {
  @MessagePattern('order.fail')
  fail(): never {
    throw new RangeError('a bug');
  }
}

describe('global enhancers', () => {
  it('run on no call of the cluster', async () => {
    const providers = [
      OrderHandlers,
      FailingHandlers,
      { provide: APP_GUARD, useClass: Hostile },
      { provide: APP_INTERCEPTOR, useClass: Hostile },
      { provide: APP_PIPE, useClass: Hostile },
      { provide: APP_FILTER, useClass: HostileFilter },
    ];
    await create({ providers }, { connected: true });
    await app.startAllMicroservices();
    await app.init();
    const answers = app.get(Cluster).call('order.read', 1).pipe(toArray());
    expect(await firstValueFrom(answers)).toEqual([{ nodeId: 'a', data: 'of the cluster 1' }]);
    const failures = app.get(Cluster).call('order.fail', 1).pipe(toArray());
    expect(await firstValueFrom(failures)).toMatchObject([{ error: { code: 'internal' } }]);
  });

  it('that are request-scoped are named where they keep a controller from hearing the cluster', async () => {
    await create({
      controllers: [OrderController],
      providers: [{ provide: APP_GUARD, useClass: Hostile, scope: Scope.REQUEST }],
    });
    await expect(app.init()).rejects.toThrow(
      /OrderController\.read .*move the method to a provider if a request-scoped APP_\* provider is the cause/,
    );
  });
});

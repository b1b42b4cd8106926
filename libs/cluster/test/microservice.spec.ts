import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  type NestInterceptor,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { MemoryEngine, StoreError } from '@wss/state';
import { eventually } from '@wss/testing';
import { IsInt, Max } from 'class-validator';
import { catchError, firstValueFrom, map, type Observable, of, throwError, toArray } from 'rxjs';
import {
  Cluster,
  CLUSTER_TRANSPORT,
  ClusterClient,
  ClusterContext,
  ClusterModule,
  ClusterTransport,
  MemoryClusterChannels,
  NodeRegistry,
} from '../src/index.js';
import { memoryLinks as links } from './memory-links.js';
import { NodeTable } from '../src/nodes/node-table.memory.js';
import type { ClusterModuleOptions } from '../src/cluster.module.js';

const NODE = Symbol('node id');

/** The handlers that ran on all nodes: `node:method:data`. */
const log: string[] = [];

/** Ends the handlers that wait. */
const waiting: (() => void)[] = [];

class Addition {
  @IsInt()
  @Max(100)
  by!: number;
}

@Injectable()
class NotForbidden implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'rpc') throw new Error(`the context is ${context.getType()}`);
    const rpc = context.switchToRpc();
    if (!(rpc.getContext() instanceof ClusterContext)) throw new Error('no cluster context');
    return (rpc.getData<{ by?: unknown } | null>()?.by ?? 0) !== 13;
  }
}

@Injectable()
class Stamp implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { name } = context.getClass();
    return next.handle().pipe(map((sum) => ({ sum, via: `${name}.${context.getHandler().name}` })));
  }
}

class Full extends Error {}

/** Written as Nest's documentation has it for microservices. */
@Catch(Full)
class FullFilter implements ExceptionFilter {
  catch(error: Full, host: ArgumentsHost): Observable<never> {
    return throwError(() => new RangeError(`${error.message} ${host.switchToRpc().getData<string>()}`));
  }
}

/** Answers in place of what failed. */
@Catch(RangeError)
class InsteadFilter implements ExceptionFilter {
  catch(error: RangeError): Observable<unknown> {
    return of({ instead: error.message });
  }
}

@Injectable()
@UseGuards(NotForbidden)
@UsePipes(new ValidationPipe({ transform: true, whitelist: true }))
class CounterHandlers {
  private value = 0;

  constructor(@Inject(NODE) private readonly node: string) {}

  @MessagePattern('counter.add')
  @UseInterceptors(Stamp)
  add(@Payload() addition: Addition, @Ctx() context: ClusterContext): number {
    if (!(addition instanceof Addition)) throw new Error('no DTO');
    log.push(`${this.node}:add:${context.getPattern()} of ${context.getNodeId()}`);
    return (this.value += addition.by);
  }

  @MessagePattern({ cmd: 'by', of: 'object' })
  byObject(@Payload('by') by: number): number {
    return by;
  }

  @EventPattern<string>('room.closed')
  provider(@Payload() room: string): void {
    log.push(`${this.node}:provider:${room}`);
  }
}

@Controller()
class RoomController {
  constructor(@Inject(NODE) private readonly node: string) {}

  @EventPattern<string>('room.closed')
  controller(@Payload() room: string): void {
    log.push(`${this.node}:controller:${room}`);
  }

  @EventPattern<string>('room.closed', CLUSTER_TRANSPORT)
  async named(@Payload() room: string): Promise<void> {
    await Promise.resolve();
    log.push(`${this.node}:named:${room}`);
  }

  @EventPattern<string>('room.closed', Transport.KAFKA)
  foreign(): void {
    log.push('foreign');
  }

  @EventPattern<string>('room.broken')
  broken(): void {
    throw new RangeError('broken');
  }

  @MessagePattern('room.guarded')
  @UseGuards(NotForbidden)
  @UseInterceptors(Stamp)
  guarded(): string {
    return 'guarded';
  }

  @MessagePattern('room.enter')
  @UseFilters(FullFilter)
  enter(): never {
    throw new Full('no seat for');
  }

  @MessagePattern('room.instead')
  @UseFilters(InsteadFilter)
  instead(): never {
    throw new RangeError('none');
  }

  @MessagePattern('room.wait')
  wait(): Promise<void> {
    return new Promise((resolve) => waiting.push(resolve));
  }

  @MessagePattern('room.only-b')
  onlyB(): string {
    if (this.node !== 'b') throw new Full('not b');
    return 'b';
  }
}

/** Registered twice: as a provider and as a controller, and that in two modules. */
@Controller()
class Both {
  constructor(@Inject(NODE) private readonly node: string) {}

  @EventPattern<string>('both.seen')
  seen(): void {
    log.push(`${this.node}:both`);
  }

  @MessagePattern('both.ask')
  ask(): string {
    return this.node;
  }
}

async function createApp(options: ClusterModuleOptions, classes: Classes = {}): Promise<INestApplication> {
  const node = { provide: NODE, useValue: options.registry.self.nodeId };
  @Module({ providers: [Both, node], controllers: [Both] })
  class OtherModule {}
  const module = await Test.createTestingModule({
    imports: [ClusterModule.forNode(options), OtherModule],
    controllers: [RoomController, Both, ...(classes.controllers ?? [])],
    providers: [CounterHandlers, Both, node, ...(classes.providers ?? [])],
  }).compile();
  const app = module.createNestApplication(new FastifyAdapter(), { logger: false });
  app.connectMicroservice({ strategy: app.get(ClusterTransport) });
  return app;
}

interface Classes {
  readonly controllers?: Type<object>[];
  readonly providers?: Type<object>[];
}

describe('cluster transport as a microservice of three nodes', () => {
  const engine = new MemoryEngine();
  let apps: INestApplication[];
  let cluster: Cluster;
  let client: ClusterClient;

  beforeAll(async () => {
    apps = await Promise.all(['a', 'b', 'c'].map((nodeId) => createApp(links(engine, nodeId))));
    for (const app of apps) {
      await app.startAllMicroservices();
      await app.listen(0, '127.0.0.1');
    }
    cluster = apps[0]!.get(Cluster);
    client = apps[0]!.get(ClusterClient);
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
    expect(engine.table(NodeTable).rows.size).toBe(0);
  });
  beforeEach(() => void (log.length = 0));

  const all = async <T>(answers: Observable<T>): Promise<T[]> => firstValueFrom(answers.pipe(toArray()));

  it('is ready when it hears the others and holds its lease', async () => {
    for (const app of apps) {
      expect(await firstValueFrom(app.get(ClusterTransport).status)).toBe('connected');
      expect(app.get(NodeRegistry).holdsLease).toBe(true);
    }
    expect((await cluster.nodes()).map(({ nodeId }) => nodeId).sort()).toEqual(['a', 'b', 'c']);
  });

  it('runs every method of an event once on every node, of controllers and providers', async () => {
    await cluster.emit('room.closed', 'r');
    await eventually(() => expect(log).toHaveLength(9));
    await cluster.emit('both.seen');
    await eventually(() => expect(log).toHaveLength(12));
    const ran = ['a', 'b', 'c'].flatMap((node) => [
      `${node}:both`,
      `${node}:controller:r`,
      `${node}:named:r`,
      `${node}:provider:r`,
    ]);
    expect([...log].sort()).toEqual(ran.sort());
  });

  it('applies guards, pipes and interceptors', async () => {
    const answers = await all(cluster.call('counter.add', { by: 2, extra: true }));
    expect(answers).toHaveLength(3);
    for (const answer of answers) {
      expect(answer).toMatchObject({ data: { sum: 2, via: 'CounterHandlers.add' } });
    }
    expect([...log].sort()).toEqual(['a', 'b', 'c'].map((node) => `${node}:add:counter.add of a`));
    for (const answer of await all(cluster.call('counter.add', { by: 1_000 }))) {
      expect(answer).toMatchObject({ error: { code: 'invalid' } });
    }
    for (const answer of await all(cluster.call('counter.add', { by: 13 }))) {
      expect(answer).toMatchObject({ error: { code: 'forbidden', message: 'Forbidden resource' } });
    }
  });

  it('applies them to controllers as well', async () => {
    for (const answer of await all(cluster.call('room.guarded'))) {
      expect(answer).toMatchObject({ data: { sum: 'guarded', via: 'RoomController.guarded' } });
    }
    for (const answer of await all(cluster.call('room.guarded', { by: 13 }))) {
      expect(answer).toMatchObject({ error: { code: 'forbidden' } });
    }
  });

  it('applies filters, also those that answer with an Observable', async () => {
    for (const answer of await all(cluster.call('room.enter', 'ann'))) {
      expect(answer).toMatchObject({ error: { code: 'internal', message: 'internal error' } });
    }
    for (const answer of await all(cluster.call('room.instead', 'ann'))) {
      expect(answer).toMatchObject({ data: { instead: 'none' } });
    }
  });

  it('goes on after a handler of an event failed', async () => {
    await cluster.emit('room.broken', 1);
    expect(await all(cluster.call('both.ask'))).toHaveLength(3);
  });

  describe('the client', () => {
    it('emits to all nodes, whether or not someone subscribes', async () => {
      client.emit('both.seen', {});
      await eventually(() => expect([...log].sort()).toEqual(['a:both', 'b:both', 'c:both']));
    });

    it('sends and brings the data of every node', async () => {
      expect((await all(client.send('both.ask', {}))).sort()).toEqual(['a', 'b', 'c']);
    });

    it('knows patterns that are objects, in any order of their keys', async () => {
      expect(await all(client.send({ of: 'object', cmd: 'by' }, { by: 4 }))).toEqual([4, 4, 4]);
    });

    it('passes over nodes that fail while one gives data', async () => {
      expect(await all(client.send('room.only-b', {}))).toEqual(['b']);
    });

    it('fails when no node gives data', async () => {
      const codeOf = (pattern: string): Promise<unknown> =>
        firstValueFrom(
          client.send(pattern, 1).pipe(catchError((error: { code?: string }) => of(error.code))),
        );
      expect(await codeOf('room.enter')).toBe('internal');
      expect(await codeOf('room.unknown')).toBe('unknown_event');
    });

    it('reports what can not be sent', async () => {
      const tooLarge = client.emit('both.seen', 'x'.repeat(1_048_576));
      const code = tooLarge.pipe(catchError((error: { code?: string }) => of(error.code)));
      expect(await all(code)).toEqual(['too_large']);
      await expect(firstValueFrom(client.send('both.ask', null))).rejects.toThrow();
    });

    it('fails what is under way when it is closed, and can be used again', async () => {
      const results = Promise.allSettled([firstValueFrom(client.send('room.wait', {}))]);
      await eventually(() => expect(waiting).toHaveLength(3));
      client.close();
      expect((await results)[0]).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      for (const release of waiting.splice(0)) release();
      expect(await all(client.send('both.ask', {}))).toHaveLength(3);
    });

    it('gives access to the cluster', () => {
      expect(client.unwrap<Cluster>()).toBe(cluster);
    });
  });
});

describe('what fails the boot', () => {
  it('two methods for one call', async () => {
    @Injectable()
    class Second {
      @MessagePattern('both.ask')
      answer(): void {}
    }
    const app = await createApp(links(new MemoryEngine(), 'a'), { providers: [Second] });
    const message =
      /the call "both\.ask" is handled twice: by .*; it has one handler per node, so rename one or merge them/;
    await expect(app.startAllMicroservices()).rejects.toThrow(message);
    await expect(app.init()).rejects.toThrow(message);
    await app.close();
  });

  it('two methods for one job', async () => {
    @Injectable()
    class First {
      @EventPattern<string>('x', { group: 'g' })
      on(): void {}

      @EventPattern<string>('x', { group: 'g' })
      again(): void {}
    }
    const app = await createApp(links(new MemoryEngine(), 'a'), { providers: [First] });
    await expect(app.init()).rejects.toThrow(
      /the job "x" of "g" is handled twice: by First\.on and First\.again; it has one handler/,
    );
    await app.close();
  });

  it('a group with a bad name', async () => {
    @Injectable()
    class Grouped {
      @EventPattern<string>('x', { group: 'a group' })
      on(): void {}
    }
    const app = await createApp(links(new MemoryEngine(), 'a'), { providers: [Grouped] });
    await expect(app.init()).rejects.toThrow(/Grouped\.on: a group is 1 to 64 characters/);
    await app.close();
  });

  it('a request-scoped handler class', async () => {
    @Controller({ scope: Scope.REQUEST })
    class PerRequest {
      @EventPattern<string>('x')
      on(): void {}
    }
    const app = await createApp(links(new MemoryEngine(), 'a'), { controllers: [PerRequest] });
    await expect(app.init()).rejects.toThrow(/PerRequest\.on .*request-scoped/);
    await app.close();
  });

  it('a pattern that is none', async () => {
    @Injectable()
    class Nameless {
      @EventPattern<string>('')
      on(): void {}
    }
    const app = await createApp(links(new MemoryEngine(), 'a'), { providers: [Nameless] });
    await expect(app.init()).rejects.toThrow(/Nameless\.on: the decorator needs a pattern/);
    await app.close();
  });

  it('a subscription that is refused', async () => {
    class Refusing extends MemoryClusterChannels {
      override subscribe(): Promise<void> {
        return Promise.reject(new StoreError('failed', 'NOPERM'));
      }
    }
    const engine = new MemoryEngine();
    const options = { ...links(engine, 'a'), channels: new Refusing(engine) };
    const app = await createApp(options);
    await expect(app.startAllMicroservices()).rejects.toThrow(
      /^subscribing to test:cluster and test:n:a failed/,
    );
    expect(engine.table(NodeTable).rows.size).toBe(0);
    await app.close();
  });

  it('a lease that can not be taken', async () => {
    const engine = new MemoryEngine();
    const app = await createApp(links(engine, 'a'));
    engine.setReachable(false);
    await expect(app.startAllMicroservices()).rejects.toThrow('out of reach');
    engine.setReachable(true);
    await app.startAllMicroservices();
    expect([...engine.table(NodeTable).rows.keys()]).toEqual(['a']);
    await app.close();
  });
});

describe('tracing hooks of Nest', () => {
  it('surround what comes from other nodes, and do no harm when they fail', async () => {
    const engine = new MemoryEngine();
    const apps = await Promise.all(['a', 'b', 'c'].map((nodeId) => createApp(links(engine, nodeId))));
    const seen: string[] = [];
    const b = apps[1]!.get(ClusterTransport);
    b.setOnProcessingStartHook((_id, context, done) => {
      seen.push(`start ${(context as ClusterContext).getPattern()}`);
      return done();
    });
    b.setOnProcessingEndHook(() => void seen.push('end'));
    const c = apps[2]!.get(ClusterTransport);
    c.setOnProcessingStartHook(() => {
      throw new RangeError('broken hook');
    });
    for (const app of apps) await app.startAllMicroservices();
    const call = apps[0]!.get(Cluster).call('both.ask', 1, { timeoutMs: 200 });
    const answers = await firstValueFrom(call.pipe(toArray()));
    expect(answers).toHaveLength(3);
    expect(answers).toContainEqual({ nodeId: 'c', missing: true });
    expect(seen).toEqual(['start both.ask', 'end']);
    for (const app of apps) await app.close();
  });
});

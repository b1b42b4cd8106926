import { afterEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DynamicModule,
  Global,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { WssModule, type WssOptions } from '@wss/nest';
import { ContractExplorer, ContractModule, exploreContract } from '@wss/nest/contract';
import { WssHealthModule } from '@wss/nest/health';
import { WssMetricsModule } from '@wss/nest/metrics';
import { TemporaryFolder } from '@wss/testing';
import { Poll, PollModule } from './poll.js';
import { startApp } from './test-app.js';

let trace: string;
const leaveTrace = (who: string): void => appendFileSync(trace, `${who}\n`);

/** Leaves a trace wherever Nest would call it. */
@Injectable()
class Tracing implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  constructor() {
    leaveTrace('constructor');
  }
  onModuleInit(): void {
    leaveTrace('onModuleInit');
  }
  onApplicationBootstrap(): void {
    leaveTrace('onApplicationBootstrap');
  }
  onApplicationShutdown(): void {
    leaveTrace('onApplicationShutdown');
  }
}

/** A database as users have one: opened by a factory, used by a provider, closed by a hook. */
@Global()
@Module({
  providers: [
    Tracing,
    { provide: 'DATABASE', useFactory: () => Promise.resolve(leaveTrace('factory')) },
    { provide: 'QUERIES', useFactory: (): void => leaveTrace('dependent factory'), inject: ['DATABASE'] },
    { provide: APP_GUARD, useFactory: () => ({ canActivate: () => (leaveTrace('guard'), true) }) },
    { provide: 'CLASS', useClass: Tracing },
  ],
  exports: ['DATABASE'],
})
class DatabaseModule implements OnModuleInit {
  constructor() {
    leaveTrace('module');
  }
  configure(): void {
    leaveTrace('configure');
  }
  onModuleInit(): void {
    leaveTrace('module init');
  }
}

/** A Redis at which nobody listens. */
const OPTIONS: WssOptions = { auth: 'none', redis: 'redis://127.0.0.1:1' };
const node = (): DynamicModule =>
  WssModule.forRootAsync({
    inject: ['DATABASE'],
    useFactory: () => {
      leaveTrace('options');
      return OPTIONS;
    },
  });

@Module({})
class AppModule {
  static of(...imports: (DynamicModule | typeof PollModule)[]): DynamicModule {
    return { module: AppModule, imports };
  }
}

let folder: TemporaryFolder | undefined;
afterEach(() => folder?.remove());

describe('exploring an application', () => {
  it('finds the contract of the running one, and calls nothing of it', async () => {
    folder = new TemporaryFolder('explore');
    trace = join(folder.path, 'trace');
    const metrics = WssMetricsModule.forRoot({ server: { port: 1 } });
    const root = AppModule.of(node(), DatabaseModule, PollModule, WssHealthModule, metrics, ContractModule);
    const explorer = await exploreContract(root);
    const explored = explorer.contract();
    expect(explorer.unknownReplies()).toEqual([]);
    expect(existsSync(trace)).toBe(false);

    const app = await startApp('fastify', { auth: 'none' }, [PollModule, ContractModule, DatabaseModule]);
    const running = app.get(ContractExplorer, { strict: false }).contract();
    await app.close();
    expect(readFileSync(trace, 'utf8')).toContain('dependent factory');
    expect(explored).toEqual(running);
    expect(explored.rooms[0]).toMatchObject({ type: 'poll', documents: [{ name: 'poll' }] });
  });

  it('takes a promise of a module', async () => {
    const root = Promise.resolve(AppModule.of(WssModule.forRoot(OPTIONS), PollModule));
    const { commands, schemas } = (await exploreContract(root)).contract();
    expect(commands.map(({ event }) => event)).toEqual(['who.am-i']);
    expect(Object.keys(schemas)).toContain(Poll.name);
  });

  it('says what is wrong with the application as the boot does', async () => {
    @Module({ imports: [WssModule.forFeature([Poll])] })
    class Undeclared {}
    const explorer = await exploreContract(AppModule.of(node(), DatabaseModule, Undeclared as never));
    expect(() => explorer.contract()).toThrow('Poll is a document of rooms "poll", which no class declares');
    @Injectable()
    class Lost {
      constructor(readonly other: Tracing) {}
    }
    @Module({ providers: [Lost] })
    class Broken {}
    await expect(exploreContract(Broken)).rejects.toThrow(/can't resolve dependencies of the Lost/);
  });
});

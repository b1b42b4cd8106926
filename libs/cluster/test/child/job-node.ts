import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisRoomStore } from '@wss/state';
import {
  ClusterContext,
  ClusterModule,
  ClusterTransport,
  RedisChannels,
  RedisJobQueue,
  RedisNodeRegistry,
} from '../../src/index.js';

// A node that only runs jobs. It prints each run, and each end of one, in a line of its own.

const nodeId = randomUUID().slice(0, 8);
const ending = once(process, 'SIGTERM');

@Injectable()
class Worker {
  /** Its first run ends when the process is asked to end, and with a process that is killed never. */
  @EventPattern<string>('test.work', { group: 'reports' })
  async work(@Payload() data: string, @Ctx() context: ClusterContext): Promise<void> {
    const { id, attempt } = context.getJob()!;
    console.log(`runs ${id} attempt ${attempt}`);
    if (data === 'long' && attempt === 1) await ending;
    console.log(`ends ${id} attempt ${attempt}`);
  }
}

const links = await RedisLinks.connect({ target: parseRedisTarget(process.env['REDIS_SERVER']!) });
const keys = new RedisKeys('test');

@Module({
  imports: [
    ClusterModule.forNode({
      channels: new RedisChannels(links),
      keys,
      store: new RedisRoomStore(links, keys),
      registry: new RedisNodeRegistry(links, keys, { nodeId, heartbeatMs: 100, leaseMs: 1_000 }),
      jobs: new RedisJobQueue(links, keys),
      jobSettings: { claimAfterMs: 1_000 },
    }),
  ],
  providers: [Worker],
})
class JobNode {}

const app = await NestFactory.create(JobNode, new FastifyAdapter());
app.connectMicroservice({ strategy: app.get(ClusterTransport) });
await app.startAllMicroservices();
await app.init();
console.log(`wss node ${nodeId} is ready: http://127.0.0.1:0/`);
await ending;
await app.close();
await links.close();

import { afterEach, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Cluster } from '@wss/nest';
import { eventually, FeatureCluster } from '@wss/nest/testing';
import { IsString } from 'class-validator';
import { lastValueFrom, toArray } from 'rxjs';

class Price {
  @IsString()
  item!: string;

  @IsString()
  price!: string;
}

@Injectable()
class PriceCache {
  private readonly prices = new Map<string, string>();

  constructor(private readonly cluster: Cluster) {}

  of(item: string): string | undefined {
    return this.prices.get(item);
  }

  async change(item: string, price: string): Promise<void> {
    await this.cluster.emit('price.changed', { item, price });
  }

  @EventPattern<string>('price.changed')
  onChanged(@Payload() { item, price }: Price): void {
    this.prices.set(item, price);
  }

  @MessagePattern<string>('price.count')
  count(): number {
    return this.prices.size;
  }
}

@Module({ providers: [PriceCache], exports: [PriceCache] })
class PriceModule {}

let cluster: FeatureCluster;
afterEach(() => cluster?.stop());

it('reaches the cache of each node, also of one that was added later', async () => {
  cluster = await FeatureCluster.start({ features: [PriceModule], nodes: 2 });
  await cluster.addNode();
  const caches = cluster.nodes.map((node) => node.get(PriceCache));
  await caches[0]!.change('tea', '2.50');
  await eventually(() => expect(caches.map((cache) => cache.of('tea'))).toEqual(['2.50', '2.50', '2.50']));
});

it('is missed by no node that was cut off', async () => {
  cluster = await FeatureCluster.start({ features: [PriceModule], nodes: 2 });
  const [first, second] = cluster.nodes.map((node) => node.get(PriceCache));
  await first!.change('tea', '1.00');
  await cluster.outage(() =>
    expect(first!.change('tea', '9.99')).rejects.toMatchObject({ code: 'unavailable' }),
  );
  await first!.change('cake', '3.00');
  await eventually(() => expect(second!.of('cake')).toBe('3.00'));
  expect(second!.of('tea')).toBe('1.00');
});

it('asks all nodes', async () => {
  cluster = await FeatureCluster.start({ features: [PriceModule], nodes: 2 });
  const answers = cluster.nodes[0]!.get(Cluster).call<number>('price.count');
  expect(await lastValueFrom(answers.pipe(toArray()))).toMatchObject([{ data: 0 }, { data: 0 }]);
});

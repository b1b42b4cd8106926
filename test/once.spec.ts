import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Body, Controller, Headers, Module, Param, Post, UseFilters } from '@nestjs/common';
import {
  GatewayErrorFilter,
  InjectState,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, newSeed, Random } from '@wss/testing';
import { IsInt, IsString } from 'class-validator';

class Gift {
  @IsString()
  from!: string;

  @IsInt()
  amount!: number;
}

class GiftTaken {
  @IsInt()
  total!: number;
}

@RoomDocument('fund')
class Fund {
  @IsInt()
  total = 0;
}

@RoomType('fund', { events: { 'fund.given': GiftTaken }, openToAll: true })
class FundRooms {}

@Controller('funds')
@UseFilters(GatewayErrorFilter)
class FundController {
  constructor(@InjectState(Fund) private readonly funds: StateRepository<Fund>) {}

  @Post(':key/gifts')
  give(
    @Param('key') key: string,
    @Headers('idempotency-key') once: string | undefined,
    @Body() body: Gift,
  ): Promise<GiftTaken> {
    return this.funds.update({ room: `fund:${key}`, user: body.from, once, body }, (fund, room) => {
      fund.total += body.amount;
      room.append(GiftTaken, { total: fund.total });
      return { total: fund.total };
    });
  }
}

@Module({
  imports: [WssModule.forFeature([Fund])],
  controllers: [FundController],
  providers: [FundRooms],
})
class FundModule {}

it('is the controller that docs/features.md shows', () => {
  const document = readFileSync(new URL('../docs/features.md', import.meta.url), 'utf8');
  const section = document.slice(document.indexOf('## A write that comes twice'));
  const shown = /```ts\n([^]*?)```/.exec(section)![1]!;
  expect(readFileSync(new URL(import.meta.url), 'utf8')).toContain(shown);
});

describe.each(['memory', 'redis'] as const)('a POST that comes again, on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  it('takes effect once, on whatever node, and is answered as the first', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    cluster = await FeatureCluster.start({ features: [FundModule], nodes: 2, engine });
    const post = async (key: string | undefined, amount: number, from = 'ann'): Promise<unknown> => {
      const url = new URL('/funds/a/gifts', random.pick(cluster.nodes).httpUrl);
      const headers = { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) };
      const body = JSON.stringify({ from, amount });
      const response = await fetch(url, { method: 'POST', headers, body });
      return response.status === 201 ? ((await response.json()) as GiftTaken).total : response.status;
    };
    const watcher = await cluster.connect('bob', { room: 'fund:a' });
    let total = 0;
    for (let round = 0; round < 20; round++) {
      const amount = 1 + random.below(9);
      const racing = Array.from({ length: 1 + random.below(6) }, () => post(`k${round}`, amount));
      total += amount;
      expect({ seed, round, totals: await Promise.all(racing) }).toEqual({
        ...{ seed, round, totals: racing.map(() => total) },
      });
      expect(await watcher.event('fund.given')).toMatchObject({ data: { total } });
      expect(await post(`k${round}`, amount + 1)).toBe(422);
      expect(await post(`k${round}`, amount, 'eve')).toBe(422);
    }
    expect(await Promise.all([post(undefined, 1), post(undefined, 1)])).toEqual(
      expect.arrayContaining([total + 1, total + 2]),
    );
    expect(await post('x'.repeat(256), 1)).toBe(400);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, HttpCode, Module, Param, Post, ValidationPipe } from '@nestjs/common';
import { InjectState, RoomDocument, RoomType, StateRepository, WssModule } from '@wss/nest';
import { FeatureCluster } from '@wss/nest/testing';
import { IsInt, IsString, Length, Min } from 'class-validator';

class NewOrder {
  @IsString()
  @Length(1, 50)
  item!: string;
}

@RoomDocument('table')
class Bill {
  @IsString({ each: true })
  items: string[] = [];
}

class Ordered extends NewOrder {
  @IsInt()
  @Min(1)
  count!: number;
}

@Controller('tables')
@RoomType('table', { events: { 'table.ordered': Ordered } })
class TableController {
  constructor(@InjectState(Bill) private readonly bills: StateRepository<Bill>) {}

  @Post(':table/orders')
  @HttpCode(201)
  order(@Param('table') table: string, @Body() { item }: NewOrder): Promise<Ordered> {
    return this.bills.update({ room: `table:${table}` }, (bill, room) => {
      bill.items.push(item);
      const ordered = { item, count: bill.items.length };
      room.append(Ordered, ordered);
      return ordered;
    });
  }
}

@Module({ imports: [WssModule.forFeature([Bill])], controllers: [TableController] })
class TableModule {}

describe('a controller beside a feature', () => {
  let cluster: FeatureCluster;
  const post = (node: number, body: object): Promise<Response> =>
    fetch(`${cluster.nodes[node]!.httpUrl}api/tables/7/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  beforeAll(async () => {
    cluster = await FeatureCluster.start({
      features: [TableModule],
      setUp: (app) => void app.setGlobalPrefix('api').useGlobalPipes(new ValidationPipe()),
    });
  });
  afterAll(() => cluster?.stop());

  it('changes a room that members on all nodes see', async () => {
    const waiter = await cluster.join('waiter', 'table:7', { node: 1 });
    expect((await post(0, { item: 'soup' })).status).toBe(201);
    expect((await post(1, { item: 'tea' })).status).toBe(201);
    expect((await waiter.events('table.ordered', 'table.ordered')).map(({ data }) => data)).toEqual([
      { item: 'soup', count: 1 },
      { item: 'tea', count: 2 },
    ]);
    expect(await cluster.converged(waiter)).toEqual({ bill: { items: ['soup', 'tea'] } });
  });

  it('refuses what breaks the rules of its body', async () => {
    expect((await post(0, { item: '' })).status).toBe(400);
  });
});

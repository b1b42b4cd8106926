import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Cluster, type ClusterContext, Rooms, RoomType } from '@wss/nest';
import { eventually, FeatureCluster } from '@wss/nest/testing';
import { IsString } from 'class-validator';

class ReportOrder {
  @IsString()
  month!: string;
}

class ReportReady extends ReportOrder {
  @IsString()
  job!: string;
}

@Injectable()
class Mailer {
  send(month: string): Promise<void> {
    return Promise.reject(new Error(`there is no mail server for ${month}`));
  }
}

@Injectable()
@RoomType('reports', { events: { 'report.ready': ReportReady } })
class ReportHandlers {
  constructor(
    private readonly mailer: Mailer,
    private readonly rooms: Rooms,
  ) {}

  @EventPattern<string>('report.send', { group: 'reports' })
  async send(@Payload() { month }: ReportOrder, @Ctx() context: ClusterContext): Promise<void> {
    await this.mailer.send(month);
    const { id } = context.getJob()!;
    await this.rooms.to('reports:all').append('by node', ReportReady, { month, job: id });
  }
}

@Module({ providers: [ReportHandlers, Mailer] })
class ReportModule {}

describe.each(['memory', 'redis'] as const)('a job on %s', (engine) => {
  const mails: string[] = [];
  let fails = 0;
  const mailer: Mailer = {
    send: (month) => {
      if (fails-- > 0) return Promise.reject(new Error('the mail server is down'));
      mails.push(month);
      return Promise.resolve();
    },
  };
  let cluster: FeatureCluster;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({
      features: [ReportModule],
      nodes: 3,
      engine,
      override: (builder) => builder.overrideProvider(Mailer).useValue(mailer),
      logger: false,
    });
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => void mails.splice(0));

  it('is done by one of the nodes', async () => {
    const ann = await cluster.join('ann', 'reports:all');
    const { id } = await cluster.nodes[1]!.get(Cluster)
      .one('reports')
      .emit('report.send', { month: '2026-10' });
    expect((await ann.event('report.ready')).data).toEqual({ month: '2026-10', job: id });
    expect(mails).toEqual(['2026-10']);
  });

  it('is done again when it failed', async () => {
    fails = 1;
    await cluster.nodes[0]!.get(Cluster).one('reports').emit('report.send', { month: '2026-11' });
    await eventually(() => expect(mails).toEqual(['2026-11']), { withinMs: 15_000 });
  });
});

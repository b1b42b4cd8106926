import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  Empty,
  GatewayError,
  InjectState,
  Reply,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, type TestRoom } from '@wss/nest/testing';
import { IsInt, IsString, Length, Min } from 'class-validator';

class PollOption {
  @IsString()
  @Length(1, 100)
  option!: string;
}

class PollVotes extends PollOption {
  @IsInt()
  @Min(0)
  votes!: number;
}

/** Votes by user. */
@RoomDocument('poll')
class Poll {
  @IsString({ each: true })
  options: string[] = [];

  votes: Record<string, string> = {};

  vote(user: string, option: string): PollVotes {
    if (!this.options.includes(option)) throw new GatewayError('not_found', 'no such option');
    this.votes[user] = option;
    return { option, votes: Object.values(this.votes).filter((vote) => vote === option).length };
  }
}

@Injectable()
@RoomType('poll', { events: { 'poll.offered': PollOption, 'poll.voted': PollVotes } })
class PollHandlers {
  constructor(@InjectState(Poll) private readonly polls: StateRepository<Poll>) {}

  @SubscribeMessage('poll.offer')
  @Reply(Empty)
  offer(@MessageBody() { option }: PollOption, @CurrentCommand() command: Command): Promise<Empty> {
    return this.polls.update(command, (poll, room) => {
      poll.options.push(option);
      room.append(PollOption, { option });
      return {};
    });
  }

  @SubscribeMessage('poll.vote')
  @Reply(PollVotes)
  vote(@MessageBody() { option }: PollOption, @CurrentCommand() command: Command): Promise<PollVotes> {
    const { user } = command;
    return this.polls.update(command, (poll, room) => {
      const votes = poll.vote(user, option);
      room.append(PollVotes, votes);
      return votes;
    });
  }
}

@Module({ imports: [WssModule.forFeature([Poll])], providers: [PollHandlers] })
class PollModule {}

describe.each(['memory', 'redis'] as const)('a poll on %s', (engine) => {
  let cluster: FeatureCluster;
  let room: string;
  let ann: TestRoom;
  let bob: TestRoom;
  let polls = 0;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [PollModule], engine });
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    room = `poll:${++polls}`;
    ann = await cluster.join('ann', room);
    bob = await cluster.join('bob', room);
    await ann.command('poll.offer', { option: 'tea' });
    await bob.event('poll.offered');
  });

  it('counts each user once, and shows the same to all', async () => {
    expect(await ann.command('poll.vote', { option: 'tea' })).toEqual({ option: 'tea', votes: 1 });
    expect(await bob.event('poll.voted')).toEqual({
      event: 'poll.voted',
      seq: 2,
      data: { option: 'tea', votes: 1 },
    });
    await Promise.all([bob, ann, bob].map((user) => user.command('poll.vote', { option: 'tea' })));
    expect(await cluster.converged(ann, bob)).toMatchObject({ poll: { votes: { ann: 'tea', bob: 'tea' } } });
  });

  it('refuses options that nobody offered, and data without one', async () => {
    await expect(ann.command('poll.vote', { option: 'beer' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(ann.command('poll.vote', {})).rejects.toMatchObject({
      code: 'invalid',
      details: [{ path: 'option' }, { path: 'option' }],
    });
    expect(ann.document<Poll>('poll').votes).toEqual({});
  });

  it('loses nothing when a node ends', async () => {
    const node = await cluster.addNode();
    const eve = await cluster.join('eve', room, { node: cluster.nodes.indexOf(node) });
    await eve.command('poll.vote', { option: 'tea' });
    await cluster.stopNode(cluster.nodes.indexOf(node));
    expect((await eve.client.closed).code).toBe(1012);
    await ann.command('poll.vote', { option: 'tea' });
    await cluster.reconnect(eve);
    await cluster.converged(ann, bob, eve);
    expect(ann.log.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(eve.log).toEqual(ann.log.slice(1));
  });

  it('takes back what a failover lost, for everybody', async () => {
    await cluster.loseTail(async () => {
      await ann.command('poll.vote', { option: 'tea' });
      await bob.event('poll.voted');
    });
    await bob.command('poll.vote', { option: 'tea' });
    expect((await ann.event('$reset')).data).toMatchObject({ lost: { from: 2, to: 2 } });
    expect(await cluster.converged(ann, bob)).toMatchObject({ poll: { votes: { bob: 'tea' } } });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, type Client, Command, CurrentCommand, Reply, Rooms, RoomType } from '@wss/nest';
import { eventually, FeatureCluster } from '@wss/nest/testing';
import { IsString, Length } from 'class-validator';

class Line {
  @IsString()
  @Length(1, 500)
  text!: string;
}

class SentLine extends Line {
  @IsString()
  user!: string;
}

class Typing {
  @IsString()
  user!: string;
}

@Injectable()
class NotBanned implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToWs().getClient<Client>().user !== 'mallory';
  }
}

@Injectable()
@RoomType('chat', {
  presence: true,
  join: NotBanned,
  events: { 'chat.sent': SentLine },
  volatile: { 'chat.typing': Typing },
})
class ChatHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('chat.send')
  @Reply(Appended)
  send(@MessageBody() { text }: Line, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, SentLine, { user: command.user, text });
  }

  @SubscribeMessage('chat.type')
  @Reply(null)
  async type(@CurrentCommand() { room, user }: Command): Promise<void> {
    await this.rooms.to(room!).volatile(Typing, { user });
  }
}

@Module({ providers: [NotBanned, ChatHandlers] })
class ChatModule {}

describe('a chat', () => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({
      features: [ChatModule],
      nodes: 3,
      options: { presence: { graceMs: 200 } },
    });
  });
  afterAll(() => cluster?.stop());

  it('brings lines to everybody in one order, on whichever node they are', async () => {
    const users = await Promise.all(['ann', 'bob', 'eve'].map((user) => cluster.join(user, 'chat:order')));
    const [ann, bob, eve] = users as [(typeof users)[0], (typeof users)[0], (typeof users)[0]];
    await Promise.all(users.map((user, i) => user.command('chat.send', { text: `line ${i}` })));
    const lines = await ann.events('chat.sent', 'chat.sent', 'chat.sent');
    expect(await bob.events('chat.sent', 'chat.sent', 'chat.sent')).toEqual(lines);
    expect(await eve.events('chat.sent', 'chat.sent', 'chat.sent')).toEqual(lines);
  });

  it('shows who is there, and who has gone', async () => {
    const names = async (): Promise<string[]> => (await ann.users()).map(({ user }) => user);
    const ann = await cluster.join('ann', 'chat:there', { meta: { color: 'red' } });
    const bob = await cluster.join('bob', 'chat:there');
    await eventually(async () => expect(await names()).toEqual(['ann', 'bob']));
    expect((await bob.users())[0]).toEqual({ user: 'ann', meta: { color: 'red' } });
    await bob.leave();
    await eventually(() => expect(ann.announcements.flatMap(({ left }) => left)).toEqual(['bob']));
    expect(await names()).toEqual(['ann']);
  });

  it('shows what was said to somebody who comes later', async () => {
    const ann = await cluster.join('ann', 'chat:later');
    for (const text of ['one', 'two', 'three']) await ann.command('chat.send', { text });
    const bob = await cluster.join('bob', 'chat:later');
    expect(await bob.history({ limit: 2 })).toMatchObject([
      { data: { text: 'two' } },
      { data: { text: 'three' } },
    ]);
    expect(await bob.history({ before: 2 })).toMatchObject([{ seq: 1, data: { user: 'ann', text: 'one' } }]);
  });

  it('shows who types, without keeping it', async () => {
    const ann = await cluster.join('ann', 'chat:typing');
    const bob = await cluster.join('bob', 'chat:typing');
    await ann.command('chat.type');
    expect(await bob.event('chat.typing')).toEqual({ event: 'chat.typing', data: { user: 'ann' } });
    expect(bob.log).toEqual([]);
  });

  it('shows the newest lines to those who come late', async () => {
    const ann = await cluster.join('ann', 'chat:late');
    for (const text of ['one', 'two', 'three']) await ann.command('chat.send', { text });
    const late = await cluster.join('bob', 'chat:late', { last: 2 });
    expect(await late.event('chat.sent')).toMatchObject({ seq: 2, data: { text: 'two' } });
  });

  it('keeps strangers out', async () => {
    await expect(cluster.join('mallory', 'chat:order')).rejects.toMatchObject({ code: 'forbidden' });
    const mallory = await cluster.connect('mallory');
    await expect(mallory.command('chat.send', { text: 'hi' }, { room: 'chat:order' })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

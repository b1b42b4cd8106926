import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type CanActivate, type ExecutionContext, Injectable, Module, UseGuards } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  commandOf,
  type ConnectingClient,
  CurrentCommand,
  RateLimit,
  Reply,
  Rooms,
  RoomType,
  Users,
} from '@wss/nest';
import { FeatureCluster } from '@wss/nest/testing';
import { IsString, Length } from 'class-validator';

class Note {
  @IsString()
  @Length(1, 100)
  text!: string;
}

@Injectable()
class TeamGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const client = context.switchToWs().getClient<ConnectingClient>();
    client.claims.role = client.user === 'ann' ? 'editor' : 'reader';
    return client.user !== 'mallory';
  }
}

@Injectable()
class EditorsOnly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return commandOf(context)?.client.claims.role === 'editor';
  }
}

@Injectable()
@RoomType('note', { events: { 'note.written': Note } })
class NoteHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.write')
  @Reply(null)
  @RateLimit({ per: 'user', limit: 3, windowMs: 60_000 })
  @UseGuards(EditorsOnly)
  async write(@MessageBody() note: Note, @CurrentCommand() command: Command): Promise<void> {
    await this.rooms.to(command.room!).append(command, Note, note);
  }
}

@Module({ providers: [NoteHandlers, TeamGuard, EditorsOnly], exports: [TeamGuard] })
class NoteModule {}

let cluster: FeatureCluster;
beforeAll(async () => {
  cluster = await FeatureCluster.start({ features: [NoteModule], options: { connect: [TeamGuard] } });
});
afterAll(() => cluster?.stop());

it('lets in the users that the guard knows, and gives the claims to handlers', async () => {
  await expect(cluster.connect('mallory')).rejects.toMatchObject({ status: 403 });
  const [ann, bob] = [await cluster.join('ann', 'note:1'), await cluster.join('bob', 'note:1')];
  await ann.command('note.write', { text: 'hi' });
  await expect(bob.command('note.write', { text: 'me too' })).rejects.toMatchObject({ code: 'forbidden' });
});

it('limits how often a user writes, over all nodes', async () => {
  const phone = await cluster.join('ann', 'note:2', { node: 0 });
  const desk = await cluster.join('ann', 'note:2', { node: 1 });
  for (const member of [phone, desk, phone]) await member.command('note.write', { text: 'hi' });
  await expect(desk.command('note.write', { text: 'again' })).rejects.toMatchObject({
    code: 'rate_limited',
  });
});

it('puts a user out of a room, and out of the cluster', async () => {
  const bob = await cluster.join('bob', 'note:3');
  await cluster.nodes[1]!.get(Rooms).to('note:3').remove('bob', { reason: 'spam', by: 'tests' });
  expect((await bob.event('$removed')).data).toEqual({ reason: 'spam' });
  await cluster.nodes[0]!.get(Users).revoke('bob', { by: 'tests' });
  expect((await bob.client.closed).code).toBe(4501);
  await expect(cluster.connect('bob')).rejects.toMatchObject({ status: 401 });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, Command, CurrentCommand, Rooms, RoomType, useWss, WssModule } from '@wss/nest';
import { TestClient, TestRoom } from '@wss/nest/testing';
import { IsString, Length } from 'class-validator';

class Note {
  @IsString()
  @Length(1, 200)
  text!: string;
}

@Injectable()
@RoomType('note', { events: { 'note.written': Note } })
class NoteHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.write')
  write(@MessageBody() { text }: Note, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, Note, { text });
  }
}

@Module({
  imports: [WssModule.forRoot({ path: '/live', auth: 'none' })],
  providers: [NoteHandlers],
})
class AppModule {}

describe('the application', () => {
  let app: NestFastifyApplication;
  let url: string;
  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication(new FastifyAdapter());
    useWss(app);
    await app.listen(0);
    url = `${await app.getUrl()}/live`;
  });
  afterAll(() => app?.close());

  it('brings notes to everybody in the room', async () => {
    const ann = await TestClient.connect(url, { user: 'ann' });
    const note = await TestRoom.join(await TestClient.connect(url, { user: 'bob' }), 'note:1');
    await ann.join('note:1');
    await ann.command('note.write', { text: 'hi' }, { room: 'note:1' });
    expect((await note.event('note.written')).data).toEqual({ text: 'hi' });
  });

  it('serves no other path', async () => {
    const url = await app.getUrl();
    await expect(TestClient.connect(url)).rejects.toMatchObject({ name: 'UpgradeRefused', status: 404 });
  });
});

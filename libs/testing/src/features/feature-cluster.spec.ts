import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomDocument, RoomType } from '@wss/core';
import { StateModule } from '@wss/state';
import { IsString } from 'class-validator';
import { FeatureCluster } from './feature-cluster.js';

class Note {
  @IsString()
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

  @SubscribeMessage('note.shout')
  shout(@CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, 'note.shouted', {});
  }
}

@Module({ providers: [NoteHandlers] })
class NoteModule {}

const room = 'note:1';

describe.each(['memory', 'redis'] as const)('a cluster of features on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  it('survives an outage, and serves again when it says so', async () => {
    cluster = await FeatureCluster.start({ features: [NoteModule], engine });
    const [ann, bob] = [
      await cluster.connect('ann', { room }),
      await cluster.connect('bob', { room, node: 1 }),
    ];
    await cluster.outage(async () => {
      const { error } = await ann.request('note.write', { text: 'lost' }, { room });
      expect(['unavailable', 'unknown_outcome']).toContain(error?.code);
    });
    await ann.command('note.write', { text: 'here' }, { room });
    expect(await bob.event('note.written')).toMatchObject({ data: { text: 'here' } });
  });

  it('takes nodes in and lets them go', async () => {
    cluster = await FeatureCluster.start({ features: [NoteModule], nodes: 1, engine });
    const ann = await cluster.connect('ann', { room });
    await cluster.addNode();
    const bob = await cluster.connect('bob', { room, node: 1 });
    await cluster.stopNode(0);
    expect((await ann.closed).code).toBe(1012);
    await bob.command('note.write', { text: 'still here' }, { room });
  });

  it('refuses events that the kind of room does not declare', async () => {
    cluster = await FeatureCluster.start({ features: [NoteModule], nodes: 1, engine });
    const ann = await cluster.connect('ann', { room });
    expect((await ann.request('note.shout', {}, { room })).error).toMatchObject({ code: 'internal' });
  });

  it('gives the providers of a node', async () => {
    cluster = await FeatureCluster.start({ features: [NoteModule], nodes: 1, engine });
    const ann = await cluster.connect('ann', { room });
    await cluster.nodes[0]!.get(Rooms).to(room).append('by node', Note, { text: 'from the node' });
    expect(await ann.event('note.written')).toMatchObject({ data: { text: 'from the node' } });
  });
});

describe('a feature that does not boot', () => {
  const starting = (provider: Type<object>): Promise<FeatureCluster> => {
    @Module({ providers: [provider] })
    class Broken {}
    return FeatureCluster.start({ features: [NoteModule, Broken], nodes: 1 });
  };

  it('tells that an event is handled twice', async () => {
    @Injectable()
    class Twice {
      @SubscribeMessage('note.write')
      write(): void {}
    }
    await expect(starting(Twice)).rejects.toThrow(
      '"note.write" is handled twice: by NoteHandlers.write and Twice.write; rename one',
    );
  });

  it('tells that nobody declares its kind of room', async () => {
    @Injectable()
    @RoomType('poll')
    class Poll {}
    await expect(starting(Poll)).rejects.toThrow(
      "which no class declares: add options, e.g. @RoomType('poll', {})",
    );
    @Injectable()
    @RoomType('noet')
    class Slip {}
    await expect(starting(Slip)).rejects.toThrow("@RoomType('noet', {}); did you mean note?");
  });

  it('tells that two classes declare its kind of room', async () => {
    @Injectable()
    @RoomType('note', {})
    class Again {}
    await expect(starting(Again)).rejects.toThrow(
      `room type "note" is declared twice, by NoteHandlers and Again: give options in one of them, and @RoomType('note') in the other`,
    );
  });

  it('tells that its document belongs to no kind of room', async () => {
    @RoomDocument('nite')
    class Draft {
      @IsString()
      text = '';
    }
    @Module({ imports: [StateModule.forFeature([Draft])] })
    class Misspelt {}
    await expect(FeatureCluster.start({ features: [NoteModule, Misspelt] })).rejects.toThrow(
      /^Draft is a document of rooms "nite", which no class declares: .*; did you mean note\?$/,
    );
  });

  it('tells that a handler is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @SubscribeMessage('note.read')
      read(): void {}
    }
    await expect(starting(PerRequest)).rejects.toThrow('handlers are made once, at boot');
  });

  it('tells that a DTO has no rules', async () => {
    class Bare {
      text!: string;
    }
    @Injectable()
    class Handlers {
      @SubscribeMessage('bare.say')
      say(@MessageBody() data: Bare): Bare {
        return data;
      }
    }
    await expect(starting(Handlers)).rejects.toThrow(
      'Handlers.say: Bare has no class-validator rules, so all of its data would be dropped; decorate its fields, e.g. @IsString()',
    );
  });
});

import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Injectable, Module } from '@nestjs/common';
import * as nest from '@wss/nest';
import type {
  DirectTarget,
  JobTarget,
  NodeInfo,
  NodeTarget,
  PresentUser,
  ReadDocument,
  RoomDraft,
  RoomPresence,
  RoomTarget,
} from '@wss/nest';
import { Poll, PollModule, Voted } from './poll.js';
import { startApp } from './test-app.js';

/** Decorators of Nest and of others that the document shows beside ours. */
const FOREIGN = [
  ...[
    'Body',
    'ConnectedSocket',
    'Controller',
    'Ctx',
    'EventPattern',
    'Get',
    'Headers',
    'Injectable',
    'MessageBody',
  ],
  ...[
    'MessagePattern',
    'Module',
    'Param',
    'Payload',
    'Post',
    'SubscribeMessage',
    'Type',
    'UseFilters',
    'UseGuards',
    'UsePipes',
  ],
];

it('has every decorator that the document on features names', () => {
  const text = readFileSync(new URL('../../../docs/features.md', import.meta.url), 'utf8');
  const named = new Set([...text.matchAll(/@([A-Z]\w+)\(/g)].map(([, name]) => name!));
  const ours = [...named].filter((name) => !FOREIGN.includes(name) && !/^(Is|Max|Min|Length)/.test(name));
  expect(ours).toContain('Sends');
  expect(ours.filter((name) => !(name in nest))).toEqual([]);
});

/** The types of what the package's methods take and return, as an application writes them. */
class Named {
  constructor(
    readonly rooms: nest.Rooms,
    readonly cluster: nest.Cluster,
    readonly presence: nest.Presence,
    readonly polls: nest.StateRepository<Poll>,
  ) {}

  readonly room = (): RoomTarget => this.rooms.to('poll:1');
  readonly user = (): DirectTarget => this.rooms.toUser('ann');
  readonly node = (id: string): NodeTarget => this.cluster.node(id);
  readonly jobs = (): JobTarget => this.cluster.one('group');
  readonly nodes = async (): Promise<readonly NodeInfo[]> => this.cluster.nodes();
  readonly members = (): RoomPresence => this.presence.of('poll:1');
  readonly users = async (): Promise<readonly PresentUser[]> => (await this.members().list()).users;
  readonly poll = async (): Promise<ReadDocument<Poll>> => this.polls.read({ room: 'poll:1' });
  readonly note = (room: RoomDraft): void => room.append(Voted, { user: 'ann', option: 'tea' });
}

@Injectable()
class Collected extends Named {
  constructor(
    rooms: nest.Rooms,
    cluster: nest.Cluster,
    presence: nest.Presence,
    @nest.InjectState(Poll) polls: nest.StateRepository<Poll>,
  ) {
    super(rooms, cluster, presence, polls);
  }
}

@Module({ imports: [nest.WssModule.forFeature([Poll])], providers: [Collected] })
class CollectedModule {}

it('names what its methods take and return', async () => {
  const app = await startApp('express', { auth: 'none' }, [PollModule, CollectedModule]);
  const named = app.get(Collected, { strict: false });
  expect(await named.users()).toEqual([]);
  expect(await named.nodes()).toHaveLength(1);
  await named.polls.update({ room: 'poll:1' }, (_, room) => named.note(room));
  expect((await named.poll()).position.seq).toBe(1);
  await app.close();
});

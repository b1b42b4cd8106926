import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, RoomGate, RoomType } from '@wss/core';
import { eventually } from '@wss/testing';
import { type HistoryPage, type HistoryQuery, HistorySource, RoomSource } from '../src/index.js';
import { NativeApp } from './native/native-app.js';
import { EmptyRooms, routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
@RoomType('past', {})
class PastHandlers {
  @SubscribeMessage('past.do')
  do(): void {}
}

const PAGE: HistoryPage = {
  position: { epoch: '5.e', seq: 2 },
  entries: [
    {
      first: 1,
      events: [
        { event: '"past.was"', data: '{}' },
        { event: '"past.was"', data: '{}' },
      ],
    },
  ],
  oldest: 1,
};
/** Of ann, behind everything that the node has delivered. */
const ENDED = RoomGate.OPEN.with({ user: 'ann', reason: 'spam' }, '5.2');

/** A room in which this node has delivered nothing yet. */
class QuietRooms extends EmptyRooms {
  protected override readonly epoch = '5.e';
}

/** Answers pages as it is told to, and knows how many it reads at a time. */
class PlayedHistory extends HistorySource {
  readonly asked: HistoryQuery[] = [];
  readonly waiting: (() => void)[] = [];
  pages: HistoryPage[] = [];
  isSlow = false;

  async page(_room: string, request: HistoryQuery): Promise<HistoryPage> {
    this.asked.push(request);
    if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.pages.shift() ?? PAGE;
  }
}

let native: NativeApp | undefined;
afterEach(() => native?.stop());

async function start(history: PlayedHistory, ...users: string[]) {
  const providers = [
    ...[ClientGateway, PastHandlers, bindValue(HistorySource, history)],
    bindValue(RoomSource, new QuietRooms()),
  ];
  const app = (native = await NativeApp.start(routerModule({ providers })));
  const clients = await Promise.all(users.map((user) => app.client(`/?user=${user}`)));
  for (const client of clients) client.send({ event: '$join', room: 'past:1', id: 'join' });
  return clients;
}
/** The answer, which may overtake that to the join. */
async function answerTo(client: Awaited<ReturnType<typeof start>>[number]) {
  client.send(ask);
  const found = () => client.frames.find(({ id }) => id === 'ask');
  await eventually(() => expect(found()).toBeDefined());
  return found();
}
const ask = { event: '$history', room: 'past:1', id: 'ask' };

it('R38: shows nothing to a member that a page says was removed, though the node has not heard of it', async () => {
  const history = new PlayedHistory();
  history.pages = [
    { ...PAGE, gate: ENDED },
    { ...PAGE, gate: ENDED },
  ];
  const [ann, bob] = await start(history, 'ann', 'bob');
  const told = await answerTo(ann!);
  expect(told).toMatchObject({ error: { code: 'forbidden' } });
  const answer = await answerTo(bob!);
  expect(answer).toMatchObject({ data: { events: [{ seq: 1 }, { seq: 2 }] } });
});

it('R14: asks again where a server of another epoch than the room’s has answered', async () => {
  const history = new PlayedHistory();
  history.pages = [{ ...PAGE, position: { epoch: 'old', seq: 9 } }];
  const [ann] = await start(history, 'ann');
  const told = await answerTo(ann!);
  expect(history.asked.map(({ bulk }) => bulk)).toEqual([true, undefined]);
  expect(told).toMatchObject({ data: { epoch: '5.e', events: [{ seq: 1 }, { seq: 2 }] } });
});

it('R29: reads one page of a connection at a time, so that others do not wait for all of them', async () => {
  const history = new PlayedHistory();
  history.isSlow = true;
  const [ann, bob] = await start(history, 'ann', 'bob');
  for (let id = 0; id < 50; id++) ann!.send({ ...ask, id });
  bob!.send(ask);
  await eventually(() => expect(history.waiting).toHaveLength(2));
  history.isSlow = false;
  for (const answer of history.waiting.splice(0)) answer();
  await eventually(() => expect(ann!.frames).toHaveLength(51));
  await eventually(() => expect(bob!.frames).toHaveLength(2));
});

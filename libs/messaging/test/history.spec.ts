import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, RoomGate, RoomType } from '@wss/core';
import { eventually } from '@wss/testing';
import { type HistoryPage, type HistoryRequest, HistorySource } from '../src/index.js';
import { NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
@RoomType('past', {})
class PastHandlers {
  @SubscribeMessage('past.do')
  do(): void {}
}

const PAGE: HistoryPage = {
  position: { epoch: 'e', seq: 2 },
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
/** Of ann; the node has delivered nothing yet, and its epoch is older. */
const ENDED = RoomGate.OPEN.with({ user: 'ann', reason: 'spam' }, '7.2');

/** Answers pages as it is told to, and knows how many it reads at a time. */
class PlayedHistory extends HistorySource {
  readonly asked: HistoryRequest[] = [];
  readonly waiting: (() => void)[] = [];
  pages: HistoryPage[] = [];
  isSlow = false;

  async page(_room: string, request: HistoryRequest): Promise<HistoryPage> {
    this.asked.push(request);
    if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.pages.shift() ?? PAGE;
  }
}

let native: NativeApp | undefined;
afterEach(() => native?.stop());

async function start(history: PlayedHistory, ...users: string[]) {
  const providers = [ClientGateway, PastHandlers, bindValue(HistorySource, history)];
  const app = (native = await NativeApp.start(routerModule({ providers })));
  const clients = await Promise.all(users.map((user) => app.client(`/?user=${user}`)));
  for (const client of clients) client.send({ event: '$join', room: 'past:1', id: 'join' });
  return clients;
}
const ask = { event: '$history', room: 'past:1', id: 'ask' };

it('R38: shows nothing to a member that a page says was removed, though the node has not heard of it', async () => {
  const history = new PlayedHistory();
  history.pages = [
    { ...PAGE, gate: ENDED },
    { ...PAGE, gate: ENDED },
  ];
  const [ann, bob] = await start(history, 'ann', 'bob');
  ann!.send(ask);
  await eventually(() => expect(ann!.frames.find(({ id }) => id === 'ask')).toBeDefined());
  expect(ann!.frames.at(-1)).toMatchObject({ error: { code: 'forbidden' } });
  bob!.send(ask);
  await eventually(() => expect(bob!.frames.find(({ id }) => id === 'ask')).toBeDefined());
  expect(bob!.frames.at(-1)).toMatchObject({ data: { events: [{ seq: 1 }, { seq: 2 }] } });
});

it('R14: asks again where a server of another epoch than the room’s has answered', async () => {
  const history = new PlayedHistory();
  history.pages = [{ ...PAGE, position: { epoch: 'old', seq: 9 } }];
  const [ann] = await start(history, 'ann');
  ann!.send(ask);
  await eventually(() => expect(ann!.frames.find(({ id }) => id === 'ask')).toBeDefined());
  expect(history.asked.map(({ bulk }) => bulk)).toEqual([true, undefined]);
  expect(ann!.frames.at(-1)).toMatchObject({ data: { epoch: 'e', events: [{ seq: 1 }, { seq: 2 }] } });
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

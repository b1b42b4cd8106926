import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, RoomType } from '@wss/core';
import { eventually } from '@wss/testing';
import { ClientLimits, RoomSource } from '../src/index.js';
import { NativeApp } from './native/native-app.js';
import { EmptyRooms, routerModule } from './test-ports.js';

const JOINS = 200;
const JOINS_AT_ONCE = 4;

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
@RoomType('burst', {})
class BurstHandlers {
  @SubscribeMessage('burst.do')
  do(): void {}
}

/** Begins when it is told to. */
class SlowRooms extends EmptyRooms {
  readonly waiting: (() => void)[] = [];

  override async begin(...args: Parameters<RoomSource['begin']>): Promise<void> {
    await new Promise<void>((resolve) => this.waiting.push(resolve));
    await super.begin(...args);
  }
}

it('R29: a burst of joins asks the engine for some at a time, and all of them are answered', async () => {
  const rooms = new SlowRooms();
  const native = await NativeApp.start(
    routerModule({
      providers: [
        ...[ClientGateway, BurstHandlers, bindValue(RoomSource, rooms)],
        bindValue(ClientLimits, { maxRooms: JOINS }),
      ],
    }),
  );
  const [client, other] = [await native.client('/'), await native.client('/')];
  for (let id = 0; id < JOINS; id++) client.send({ event: '$join', room: `burst:${id}`, id });
  await eventually(() => expect(rooms.waiting).toHaveLength(JOINS_AT_ONCE));
  // Another client does not wait behind them.
  other.send({ event: '$join', room: 'burst:other', id: 'other' });
  await eventually(() => expect(rooms.waiting).toHaveLength(JOINS_AT_ONCE + 1));
  let most = 0;
  while (client.frames.length < JOINS) {
    most = Math.max(most, rooms.waiting.length);
    for (const begin of rooms.waiting.splice(0)) begin();
    await nextTurn();
  }
  expect(most).toBeLessThanOrEqual(JOINS_AT_ONCE + 1);
  expect(client.frames.every(({ error }) => error === undefined)).toBe(true);
  await native.stop();
});

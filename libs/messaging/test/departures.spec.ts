import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, type RoomHold, RoomType } from '@wss/core';
import { eventually, type TestClient } from '@wss/testing';
import { ClientLimits, Drain, RoomSource } from '../src/index.js';
import { NativeApp } from './native/native-app.js';
import { EmptyRooms, routerModule } from './test-ports.js';

const ROOMS = 500;
/** That a client leaves in one turn of the event loop. */
const MOST = 32;

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
@RoomType('left', {})
class LeftHandlers {
  @SubscribeMessage('left.do')
  do(): void {}
}

/** Notes the turn of the event loop in which each room is given back. */
class CountedRooms extends EmptyRooms {
  turn = 0;
  readonly released: number[] = [];

  override hold(): RoomHold {
    return { ...super.hold(), release: () => this.released.push(this.turn) };
  }
}

async function startWith(rooms: CountedRooms): Promise<{ native: NativeApp; client: TestClient }> {
  const native = await NativeApp.start(
    routerModule({
      providers: [
        ...[ClientGateway, LeftHandlers, bindValue(RoomSource, rooms)],
        bindValue(ClientLimits, { maxRooms: ROOMS }),
      ],
    }),
  );
  const client = await native.client('/');
  for (let id = 0; id < ROOMS; id++) client.send({ event: '$join', room: `left:${id}`, id });
  await eventually(() => expect(client.frames).toHaveLength(ROOMS));
  return { native, client };
}

it('R29: a client that goes leaves its rooms in parts, and a drain waits for the last one', async () => {
  const rooms = new CountedRooms();
  const { native, client } = await startWith(rooms);
  let counting = true;
  const count = (): void => {
    rooms.turn++;
    if (counting) setImmediate(count);
  };
  count();
  client.socket.terminate();
  await eventually(() => expect(rooms.released.length).toBeGreaterThan(0));
  await native.app.get(Drain).run({ windowMs: 0, over: new AbortController().signal });
  expect(rooms.released).toHaveLength(ROOMS);
  counting = false;
  const perTurn = new Map<number, number>();
  for (const turn of rooms.released) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(MOST);
  await native.stop();
});

it('R29: a drain waits until the clients that it cuts are in no room', async () => {
  const rooms = new CountedRooms();
  const { native, client } = await startWith(rooms);
  // The close frame stays without an answer.
  client.socket.pause();
  await native.app.get(Drain).run({ windowMs: 0, over: AbortSignal.abort() });
  expect(rooms.released).toHaveLength(ROOMS);
  client.socket.resume();
  await native.stop();
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { bindValue } from '@wss/core';
import { eventually, type TestClient } from '@wss/testing';
import { HEARTBEAT_SLOTS, Heartbeats } from '../src/connections/heartbeats.js';
import { type ClientSocket, Hub } from '../src/index.js';
import { MessagingObserver, type SlowClientAction } from '../src/ports/messaging-observer.js';
import { NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

class Noted extends MessagingObserver {
  readonly gone: number[] = [];
  readonly slow: SlowClientAction[] = [];

  clientGone(code: number): void {
    this.gone.push(code);
  }

  clientSlow(action: SlowClientAction): void {
    this.slow.push(action);
  }

  commandEnded(): void {}
  upgradeAnswered(): void {}
  clientDrained(): void {}
  delivered(): void {}
  historyChanged(): void {}
}

describe('a client that a node closes for being slow or silent', () => {
  let native: NativeApp;
  let noted: Noted;
  let heartbeats: Heartbeats;

  beforeEach(async () => {
    noted = new Noted();
    const providers = [ClientGateway, bindValue(MessagingObserver, noted)];
    native = await NativeApp.start(routerModule({ providers }));
    heartbeats = native.app.get(Heartbeats);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await native.stop();
  });

  async function connected(autoPong = true): Promise<{ client: TestClient; socket: ClientSocket }> {
    const client = await native.client('/', { ws: { autoPong } });
    const [socket] = [...native.app.get(Hub).all()] as ClientSocket[];
    return { client, socket: socket! };
  }

  /** Two periods of heartbeats pass. */
  function beat(): void {
    for (let tick = 0; tick < 2 * HEARTBEAT_SLOTS; tick++) heartbeats.tick();
  }

  /** The client stops reading, until the node can't write to it any more. */
  async function stall({ client, socket }: { client: TestClient; socket: ClientSocket }): Promise<void> {
    client.socket.pause();
    await eventually(
      () => {
        socket.reply('x'.repeat(300_000));
        expect(socket.blockedSince).not.toBe(0);
      },
      { everyMs: 1 },
    );
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + 31_000);
    heartbeats.tick();
    jest.restoreAllMocks();
  }

  it('is told 4409 where it reads but does not answer', async () => {
    const { client } = await connected(false);
    beat();
    expect(await client.closed).toMatchObject({ code: 4409 });
    await eventually(() => expect(noted.gone).toEqual([4409]));
  });

  it('counts with 4409 where its line is dead', async () => {
    const { client } = await connected(false);
    client.socket.pause();
    beat();
    client.socket.terminate();
    await eventually(() => expect(noted.gone).toEqual([4409]));
  });

  it('is told 4408 where it reads again', async () => {
    const connection = await connected();
    await stall(connection);
    connection.client.socket.resume();
    expect(await connection.client.closed).toMatchObject({ code: 4408 });
    await eventually(() => expect(noted.gone).toEqual([4408]));
    expect(noted.slow).toEqual(['closed']);
  });

  it('counts with 4408 where it never reads again', async () => {
    const connection = await connected();
    await stall(connection);
    connection.client.socket.terminate();
    await eventually(() => expect(noted.gone).toEqual([4408]));
    expect(noted.slow).toEqual(['closed']);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { WebSocketGateway } from '@nestjs/websockets';
import { bindValue } from '@wss/core';
import { eventually, newSeed, Random } from '@wss/testing';
import { UPGRADES_AT_ONCE } from '../src/reading/upgrade-turns.js';
import { Admission, Hub, UpgradeRefusal } from '../src/index.js';
import { NativeApp } from './native/native-app.js';
import { upgradeRequest } from './raw-request.js';
import { routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

const CLIENTS = 200;

describe('R29: a crowd that connects at once', () => {
  let native: NativeApp;
  afterEach(() => native.stop());

  it('is let in or refused a few at a time, and everyone is answered', async () => {
    const random = new Random(newSeed());
    const isRefused = Array.from({ length: CLIENTS }, () => random.below(2) === 0);
    let perTurn = 0;
    let most = 0;
    let asked = 0;
    const admit = (_request: unknown, url: URL): object => {
      asked++;
      most = Math.max(most, ++perTurn);
      if (isRefused[Number(url.searchParams.get('index'))]) {
        throw new UpgradeRefusal(403, 'no');
      }
      return { user: 'somebody' };
    };
    const turn = (): void => {
      perTurn = 0;
      if (asked < CLIENTS) setImmediate(turn);
    };
    const admission = bindValue(Admission, { admit, refresh: admit } as unknown as Admission);
    native = await NativeApp.start(routerModule({ providers: [ClientGateway, admission] }));
    const sockets = await Promise.all(isRefused.map(() => connected(native.port)));
    // The system takes them before the node does.
    await eventually(async () => expect(await accepted(native)).toBe(CLIENTS));
    turn();
    const answers = sockets.map((socket) => once(socket, 'data'));
    sockets.forEach((socket, index) => socket.write(upgradeRequest(`/?index=${index}`)));
    const statuses = (await Promise.all(answers)).map(([bytes]) => Number(String(bytes).slice(9, 12)));
    expect(statuses).toEqual(isRefused.map((refused) => (refused ? 403 : 101)));
    expect(most).toBeLessThanOrEqual(UPGRADES_AT_ONCE);
    await eventually(() => expect(native.app.get(Hub).size).toBe(isRefused.filter((no) => !no).length));
  });
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

function accepted({ app }: NativeApp): Promise<number> {
  const server = app.getHttpServer() as Server;
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

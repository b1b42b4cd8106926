import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindClass } from '@wss/core';
import type { TestClient } from '@wss/testing';
import { PeerContracts } from '../src/index.js';
import { captureLogs, type CapturedLogs, releaseLogs } from './captured-logs.js';
import { NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
class FaultyHandlers {
  @SubscribeMessage('faulty.do')
  do(): void {
    throw new TypeError('a bug');
  }
}

/** Other nodes whose contracts can't be read because of a bug. */
class FaultyPeers extends PeerContracts {
  knows(): Promise<boolean> {
    return Promise.reject(new TypeError('a bug'));
  }
  knowsRooms(): Promise<boolean> {
    return Promise.reject(new TypeError('a bug'));
  }
}

describe('a bug on the way of a command', () => {
  let native: NativeApp;
  let client: TestClient;
  let logs: CapturedLogs;
  beforeEach(async () => {
    const peers = bindClass(PeerContracts, FaultyPeers);
    native = await NativeApp.start(routerModule({ providers: [ClientGateway, FaultyHandlers, peers] }));
    client = await native.client('/');
    logs = captureLogs();
  });
  afterEach(async () => {
    releaseLogs();
    await native.stop();
  });

  it.each([
    ['a handler', 'faulty.do', undefined],
    ['what other nodes know of an event', 'nothing.known', undefined],
    ['what other nodes know of a kind of rooms', '$join', 'unknown:1'],
  ])('in %s is answered as internal, and logged once', async (_what, event, room) => {
    const { error } = await client.request(event, {}, room === undefined ? {} : { room });
    expect(error).toMatchObject({ code: 'internal', retry: false });
    expect(logs.error.filter((line) => line.includes('TypeError: a bug'))).toHaveLength(1);
  });
});

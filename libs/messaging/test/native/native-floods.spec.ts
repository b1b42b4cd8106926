import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { eventually, type TestClient } from '@wss/testing';
import { captureLogs, type CapturedLogs, releaseLogs } from '../captured-logs.js';
import { NativeApp } from './native-app.js';

const TIMES = 30;

@WebSocketGateway({ path: '/flood' })
class FloodGateway implements OnGatewayConnection, OnGatewayDisconnect {
  static left = 0;

  handleConnection(): void {}

  handleDisconnect(): void {
    FloodGateway.left++;
    throw new TypeError('a hook failed');
  }

  @SubscribeMessage('bigint')
  bigint(): unknown {
    return { event: 'n', data: 1n };
  }

  @SubscribeMessage('count')
  count(): unknown {
    return { event: 'counted', data: 1 };
  }
}

describe('a bug of a gateway that clients meet again and again', () => {
  let native: NativeApp;
  let logs: CapturedLogs;
  beforeEach(async () => {
    FloodGateway.left = 0;
    native = await NativeApp.start({ providers: [FloodGateway] });
    logs = captureLogs();
  });
  afterEach(async () => {
    releaseLogs();
    await native.stop();
  });

  async function ended(client: TestClient): Promise<void> {
    client.send({ event: 'count' });
    await client.event('counted');
  }

  it('is told once where a handler has it', async () => {
    const client = await native.client('/flood');
    for (let i = 0; i < TIMES; i++) client.send({ event: 'bigint' });
    await ended(client);
    expect(logs.error).toEqual([expect.stringMatching(/^a gateway's handler of "bigint" failed: TypeError/)]);
  });

  it('is told once where handleDisconnect has it', async () => {
    for (let i = 0; i < TIMES; i++) await (await native.client('/flood')).close();
    await eventually(() => expect(FloodGateway.left).toBe(TIMES));
    expect(logs.error).toEqual([
      expect.stringMatching(
        /^handleDisconnect of FloodGateway failed for client \S+: TypeError: a hook failed/,
      ),
    ]);
  });
});

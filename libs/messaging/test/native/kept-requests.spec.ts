import { afterEach, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import { eventually } from '@wss/testing';
import type { ClientSocket } from '../../src/index.js';
import { NativeApp } from './native-app.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

let native: NativeApp | undefined;
afterEach(() => native?.stop());

const requests: WeakRef<IncomingMessage>[] = [];

@WebSocketGateway({ path: '/kept' })
class KeptGateway implements OnGatewayConnection {
  handleConnection(_client: ClientSocket, request: IncomingMessage): void {
    requests.push(new WeakRef(request));
  }
}

it('keeps nothing of the request that a client upgraded with', async () => {
  native = await NativeApp.start({ providers: [KeptGateway] });
  for (let i = 0; i < 5; i++) await native.client('/kept');
  await eventually(() => {
    expect(requests).toHaveLength(5);
    collect();
    // The HTTP parser, which is used again, may hold the last one.
    expect(requests.filter((request) => request.deref()).length).toBeLessThan(2);
  });
});

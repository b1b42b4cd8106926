import { expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WssClient } from '@wss/client';
import { eventually } from '@wss/testing';
import { WebSocket, WebSocketServer } from 'ws';

const ROOMS = 20_000;
const AT_ONCE = 100;
const MOST_BYTES = 5_000_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A server that lets everybody in everywhere and does every command. */
function obliging(): WebSocketServer {
  const server = new WebSocketServer({ port: 0, handleProtocols: () => 'wss.v1' });
  server.on('connection', (socket) => {
    const send = (frame: object): void => socket.send(JSON.stringify(frame));
    const data = { session: 's', token: 't', resumed: false, rooms: [], client: 'c', user: 'u' };
    send({ event: '$hello', data: { ...data, heartbeatMs: 25_000, maxFrameBytes: 65_536 } });
    socket.on('message', (message) => {
      const { event, id } = JSON.parse(String(message)) as { event: string; id: number };
      const documents = { doc: { version: 0, value: {} } };
      if (event !== '$join') return send({ id, data: {}, seq: 0, epoch: '1' });
      send({ id, data: { epoch: '1', seq: 0, recovered: true, missed: 0, documents } });
    });
  });
  return server;
}

async function visit(client: WssClient, name: `list:${string}`): Promise<void> {
  const room = client.room(name);
  const stop = room.on('done', () => undefined);
  await room.state('doc').ready;
  await room.command('add', { text: 'something that is not kept' });
  stop();
  await room.leave();
}

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

it(`keeps nothing of ${ROOMS} rooms that were visited and left`, async () => {
  const server = obliging();
  const client = new WssClient(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { WebSocket });
  const visitAll = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => visit(client, `list:${at + i}`)));
    }
  };
  await visitAll(0, 1_000);
  const before = await heapBytes();
  await visitAll(1_000, 1_000 + ROOMS);
  expect(client.rooms).toEqual([]);
  await eventually(async () => expect((await heapBytes()) - before).toBeLessThan(MOST_BYTES), {
    withinMs: 60_000,
  });
  client.close();
  server.close();
});

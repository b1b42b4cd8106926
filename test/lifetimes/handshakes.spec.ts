import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { SessionKeeper } from '@wss/cluster';
import { SessionSource } from '@wss/messaging';
import { eventually, FeatureCluster, type FeatureNode, keptState, rawUpgrade } from '@wss/testing';
import { DenModule } from './den.feature.js';

let cluster: FeatureCluster;
let node: FeatureNode;
let port: number;
beforeAll(async () => {
  cluster = await FeatureCluster.start({ features: [DenModule], nodes: 1 });
  node = cluster.nodes[0]!;
  port = Number(new URL(node.url).port);
});
afterAll(() => cluster?.stop());

const sessions = (): number => keptState(node.app).get('SessionKeeper.connected') ?? 0;
const stored = (): number => keptState(node.app).get('SessionTable.rows') ?? 0;

describe('R26: a handshake that can not be completed', () => {
  it.each([
    ['has no key', { 'Sec-WebSocket-Key': undefined }, 400],
    ['has a bad key', { 'Sec-WebSocket-Key': 'short' }, 400],
    ['speaks another version', { 'Sec-WebSocket-Version': '7' }, 400],
    ['names a subprotocol twice', { 'Sec-WebSocket-Protocol': 'wss.v1, wss.v1' }, 400],
    ['asks for something else', { Upgrade: 'h2c' }, 400],
    ['is for a page', {}, 405, 'POST'],
    ['is for another path', {}, 404, 'GET', '/elsewhere'],
  ] as readonly [string, Record<string, string | undefined>, number, string?, string?][])(
    'opens no session when it %s',
    async (_what, headers, status, method = 'GET', path = '/') => {
      const response = await rawUpgrade(
        port,
        `${path}?user=ann`,
        { 'Sec-WebSocket-Protocol': 'wss.v1', ...headers },
        { method },
      );
      expect(response.status).toBe(status);
      expect(response.body).not.toBe('');
      expect(stored()).toBe(0);
      expect(sessions()).toBe(0);
    },
  );

  it('says which versions are spoken', async () => {
    const { headers } = await rawUpgrade(port, '/?user=ann', { 'Sec-WebSocket-Version': '7' });
    expect(headers['sec-websocket-version']).toBe('13, 8');
  });

  it('closes the session of a client that has gone while it was opened', async () => {
    const source = node.get(SessionSource as never) as SessionKeeper;
    const open = source.open.bind(source);
    let gone = (): void => undefined;
    const hasGone = new Promise<void>((resolve) => (gone = resolve));
    let opened = (): void => undefined;
    const isOpened = new Promise<void>((resolve) => (opened = resolve));
    source.open = async (...request) => {
      const session = await open(...request);
      opened();
      await hasGone;
      return session;
    };
    const socket = connect(port, '127.0.0.1');
    const lines = [
      'GET /?user=ann HTTP/1.1',
      'Host: node',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: wss.v1',
    ];
    socket.write([...lines, '\r\n'].join('\r\n'));
    await isOpened;
    expect(sessions()).toBe(1);
    expect(stored()).toBe(1);
    socket.destroy();
    await once(socket, 'close');
    gone();
    source.open = open;
    await eventually(() => expect(sessions()).toBe(0));
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SessionSource } from '@wss/messaging';
import { StoreError } from '@wss/state';
import { RoomFeed } from '@wss/cluster';
import { FeatureCluster, type FeatureNode, type TestClient } from '@wss/testing';
import { DenModule } from './den.feature.js';

let cluster: FeatureCluster;
let node: FeatureNode;
let client: TestClient;
let errors: string[];
beforeAll(async () => {
  cluster = await FeatureCluster.start({ features: [DenModule], nodes: 1 });
  node = cluster.nodes[0]!;
  client = await cluster.connect('u1', { protocols: ['wss.v1'] });
  await client.event('$hello');
  const log = (message: unknown): void => void errors.push(String(message));
  const quiet = (): void => undefined;
  Logger.overrideLogger({ error: log, fatal: log, warn: quiet, log: quiet, debug: quiet });
});
afterAll(async () => {
  Logger.overrideLogger(['error', 'fatal']);
  await cluster?.stop();
});
let undo = (): void => undefined;
afterEach(() => undo());

/** Has a part of the node fail until the test is over. */
function failing<T extends object, K extends keyof T>(part: T, name: K, error: Error): void {
  errors = [];
  const original = part[name];
  part[name] = (() => Promise.reject(error)) as T[K];
  undo = () => void (part[name] = original);
}

describe.each([
  ['an error of the engine', new StoreError('unavailable', 'away'), 'unavailable', 0],
  ['a bug', new TypeError('a bug of ours'), 'internal', 1],
] as const)('%s', (_what, error, code, logged) => {
  it('in the beginning of a join is told as what it is', async () => {
    const feed = node.get(RoomFeed);
    const { hold } = feed;
    errors = [];
    feed.hold = (room) => {
      const held = hold.call(feed, room);
      held.begin = () => Promise.reject(error);
      return held;
    };
    undo = () => void (feed.hold = hold);
    expect((await client.request('$join', {}, { room: 'den:1' })).error).toMatchObject({ code });
    expect(errors.filter((line) => line.includes(error.message))).toHaveLength(logged);
  });

  it('before a numbered command is told as what it is', async () => {
    const sessions = node.get(SessionSource as never) as { store: { addLane(): Promise<void> } };
    failing(sessions.store, 'addLane', error);
    const room = `hall:${code}`;
    expect((await client.request('hall.look', {}, { room, n: 1 })).error).toMatchObject({ code });
    expect(errors.filter((line) => line.includes(error.message))).toHaveLength(logged);
    undo();
    expect((await client.request('hall.look', {}, { room, n: 1 })).error).toBeUndefined();
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@wss/testing';
import type { DriverClient } from './driver-client.js';
import { KEYS } from './local-node.js';
import { ROOM, type Scene } from './scene.js';

const WITHIN = { withinMs: 10_000 };

/** A command takes effect, its reply is lost, and it is sent again to another node, whose document is up to date. */
export async function resendElsewhere(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  const ben = await scene.client(1);
  await add(ben);
  // The last one to write, ann's node knows the document as it is.
  await add(ann);
  const before = await scene.top();
  await scene.nodes[0]!.proxy.setMode('dropReplies');
  const answered = add(ann);
  await until(async () => (await scene.top()) > before);
  await add(ben);
  scene.move(ann, 1);
  await answered;
  await scene.nodes[0]!.proxy.setMode('pass');
  await Promise.all([add(ann), add(ben)]);
}

/**
 * A node that wrote on the branch that died writes on the surviving one, which has got as many events meanwhile.
 * Nothing brings its document up to date but the refusal: it has met no other node, so it does not read before it writes.
 */
export async function twoBranches(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  const ben = await scene.client(1);
  const cat = await scene.client(0);
  for (const client of [ann, cat]) await add(client);
  await scene.stage.settle();
  await scene.pair.loseTail();
  const end = await scene.top();
  await add(ann);
  await ann.disconnect();
  await scene.failOver(end);
  await add(ben);
  await add(cat);
  await ann.connect();
}

/** A tail is lost while its sender is connected. */
export async function lostTail(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  const ben = await scene.client(1);
  await Promise.all([add(ann), add(ben)]);
  await scene.stage.settle();
  await ben.disconnect();
  await scene.pair.loseTail();
  const end = await scene.top();
  await Promise.all([add(ann), add(ann)]);
  await scene.failOver(end);
  await ben.connect();
  await add(ben);
  await scene.stage.settle();
  const { history } = scene.stage;
  if (history.items.some((item) => item.type === 'seen' && item.client === 'ben' && item.what === 'reset')) {
    history.violation('ben was on the surviving prefix and had to begin anew');
  }
}

/** A node misses events that the log has forgotten when the node comes back. */
export async function forgottenLog(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  const ben = await scene.client(1);
  await Promise.all([add(ann), add(ben)]);
  await scene.stage.settle();
  await scene.nodes[0]!.proxy.setMode('mute');
  await Promise.all([add(ben), add(ben)]);
  await scene.top();
  await scene.pair.master.cli('DEL', KEYS.room(ROOM).log);
  await add(ben);
  await scene.nodes[0]!.proxy.setMode('pass');
}

/** The engine refuses to write the log, in the middle of a commit. */
export async function refusedLog(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  await scene.client(1);
  const { log } = KEYS.room(ROOM);
  await scene.pair.master.cli('SET', log, 'no log');
  await add(ann);
  await scene.pair.master.cli('DEL', log);
  await add(ann);
}

/** A session has ended, and later its record has gone: its first number comes once more. */
export async function endedSession({ nodes, pair, stage }: Scene): Promise<void> {
  const { store } = nodes[0]!.local;
  const endsAt = Date.now() + 500;
  const commit = (): ReturnType<typeof store.commit> =>
    store.commit({
      room: ROOM,
      entries: [
        {
          lane: { id: 'ended', generation: 1, endsAt },
          n: 1,
          ack: 0,
          fingerprint: '',
          events: [],
          outcome: { kind: 'skipped' },
        },
      ],
      documents: [],
      history: { events: 1_000, ttlMs: 60_000 },
      idleTtlMs: 0,
    });
  await commit();
  await pair.master.cli('DEL', KEYS.room(ROOM).lane('ended'));
  await until(() => Date.now() > endsAt + 100);
  if ((await commit()).status === 'committed')
    stage.history.violation('a command took effect after its session');
}

/** A reply that waits for the replicas is lost while they hear nothing, and its command comes again. */
export async function unfencedRepeat(scene: Scene): Promise<void> {
  const ann = await scene.client(0);
  await add(ann);
  await scene.stage.settle();
  await scene.pair.loseTail();
  const before = await scene.top();
  let early = false;
  const answered = add(ann);
  await until(async () => (await scene.top()) > before);
  ann.drop();
  await Promise.race([answered.then(() => (early = true)), delay(1_500)]);
  if (early) scene.stage.history.violation('a durable success was answered that no replica has');
  await scene.pair.heal();
  await answered;
}

/** Volatile events are sent at most once, though the replies to the node that sends them are lost. */
export async function lostVolatileReply(scene: Scene): Promise<void> {
  const { nodes, stage } = scene;
  const [sender] = nodes;
  await scene.client(0);
  await scene.client(1);
  await sender!.proxy.setMode('dropReplies');
  const sent = sender!.local.publishVolatile(ROOM, 'ping').catch(() => undefined);
  await until(() => stage.history.counted('ben got ping') > 0);
  await sender!.proxy.setMode('pass');
  await sent;
  await eventually(() => sender!.local.publishVolatile(ROOM, 'pong'), WITHIN);
  await until(() => stage.history.counted('ben got pong') > 0);
  if (stage.history.counted('ben got ping') > 1) stage.history.violation('a volatile event came twice');
}

function add(client: DriverClient): Promise<void> {
  return client.room(ROOM).add();
}

function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(async () => {
    if (!(await condition())) throw new Error(`not yet: ${String(condition)}`);
  }, WITHIN);
}

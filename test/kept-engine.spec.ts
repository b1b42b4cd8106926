import { afterEach, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hello, Room, RoomReset, WssClient } from '@wss/client';
import {
  eventually,
  freePort,
  GatewayNode,
  newSeed,
  Random,
  TemporaryFolder,
  TestClient,
} from '@wss/testing';
import { endAll, endings, isOpen, open } from './client/lines.js';

const range = (to: number): number[] => Array.from({ length: to }, (_, i) => i + 1);

afterEach(endAll);

/** One node after the other on one port, with one file. */
class KeptNode {
  private constructor(
    readonly folder: string,
    private readonly env: NodeJS.ProcessEnv,
    public node: GatewayNode,
  ) {}

  static async start(): Promise<KeptNode> {
    const folder = new TemporaryFolder('kept');
    const env = {
      ENGINE_FILE: join(folder.path, 'engine'),
      SERVER_PORT: String(await freePort()),
      DRAIN_WINDOW_MS: '0',
      PRESENCE_GRACE_MS: '1000',
    };
    const kept = new KeptNode(folder.path, env, await GatewayNode.start({ env }));
    endings.push(() => folder.remove());
    endings.push(() => kept.node.stop());
    return kept;
  }

  get file(): string {
    return this.env.ENGINE_FILE!;
  }

  async startAgain(): Promise<void> {
    this.node = await GatewayNode.start({ env: this.env });
    expect(readdirSync(this.folder)).toEqual([]);
  }

  async restart(): Promise<void> {
    expect(await this.node.stop()).toBe(0);
    expect(readdirSync(this.folder)).toEqual(['engine']);
    await this.startAgain();
  }
}

/** A client of the SDK that sees a counter and adds to it. */
class Follower {
  readonly seqs: number[] = [];
  readonly resets: RoomReset[] = [];
  readonly hellos: Hello[] = [];
  readonly room: Room;
  sent = 0;
  lost = 0;

  constructor(
    readonly client: WssClient,
    name: `counter:${string}`,
  ) {
    client.onHello((hello) => this.hellos.push(hello));
    this.room = client.room(name) as Room;
    this.room.on('counter.added', ({ seq }) => this.seqs.push(seq!));
    this.room.onReset((reset) => this.resets.push(reset));
  }

  async add(): Promise<void> {
    this.sent++;
    await this.room.command('counter.add', { by: 1 }).catch(() => this.lost++);
  }
}

it('all goes on where it was after a stop in order: sessions, events, numbers, documents, members', async () => {
  const random = new Random(newSeed());
  const kept = await KeptNode.start();
  const followers = ['ann', 'bob'].map(
    (user) => new Follower(open(`${kept.node.url}?user=${user}`), 'counter:kept'),
  );
  await Promise.all(followers.map(({ room }) => room.join()));
  const [ann, bob] = followers as [Follower, Follower];
  const chat = ann.client.room('chat:kept');
  ann.client.room('chat:kept').members.subscribe(() => undefined);
  await Promise.all([chat.join(), bob.client.room('chat:kept').join()]);
  const gone = await TestClient.connect(kept.node.url, { user: 'gone' });
  await gone.join('chat:kept');
  const before = await TestClient.connect(kept.node.url, { user: 'raw', protocols: ['wss.v1'] });
  const { token } = (await before.next()).data as { token: string };
  const { epoch } = await before.join<{ epoch: string }>('counter:kept');
  const first = await before.command('counter.add', { by: 1 }, { room: 'counter:kept', n: 1 });

  const under: Promise<void>[] = [];
  for (let restarts = 0; restarts < 2; restarts++) {
    for (let i = 10 + random.below(20); i > 0; i--) under.push(random.pick(followers).add());
    const restarting = kept.restart();
    for (let i = 10; i > 0; i--) under.push(random.pick(followers).add());
    await restarting;
    await Promise.all(followers.map(({ client }) => isOpen(client)));
  }
  await Promise.all(under);

  const after = await TestClient.connect(kept.node.url, {
    user: 'raw',
    protocols: ['wss.v1', `wss.resume.${token}`],
  });
  expect((await after.next()).data).toMatchObject({ resumed: true, rooms: ['counter:kept'] });
  const events = ann.sent + bob.sent + 1;
  const joined = await after.join('counter:kept', { epoch, seq: 0 });
  expect(joined).toMatchObject({ recovered: true, missed: events, seq: events });
  const again = await after.request('counter.add', { by: 1 }, { room: 'counter:kept', n: 1 });
  expect(again).toMatchObject({ data: first, dup: true });
  const { value } = await after.command<{ value: number }>('counter.read', {}, { room: 'counter:kept' });
  expect(value).toBe(events);

  for (const { seqs, resets, hellos, lost, client } of followers) {
    await eventually(() => expect(seqs).toEqual(range(events)));
    expect({ resets, lost, rooms: client.rooms.length }).toEqual({ resets: [], lost: 0, rooms: 2 });
    expect(new Set(hellos.map(({ session }) => session)).size).toBe(1);
  }
  // A user who does not come back is announced as gone, as after a node's death.
  await eventually(() => expect(chat.members.list.map(({ user }) => user).sort()).toEqual(['ann', 'bob']), {
    withinMs: 30_000,
  });
}, 120_000);

it('after a crash, and with a file that is damaged, the start is fresh and everything is declared', async () => {
  const kept = await KeptNode.start();
  const ann = new Follower(open(`${kept.node.url}?user=ann`), 'counter:lost');
  await ann.room.join();
  await ann.add();
  await kept.restart();
  await isOpen(ann.client);
  await ann.add();
  await kept.node.kill();
  // The file of the stop before the crash is gone, so nothing can go back to it.
  expect(existsSync(kept.file)).toBe(false);
  await kept.startAgain();
  await eventually(() => expect(ann.resets.map(({ reason }) => reason)).toEqual(['unknown_epoch']));
  expect(new Set(ann.hellos.map(({ session }) => session)).size).toBe(2);
  expect(await ann.room.command('counter.add', { by: 1 })).toEqual({ value: 1 });

  expect(await kept.node.stop()).toBe(0);
  expect(statSync(kept.file).mode & 0o777).toBe(0o600);
  const bytes = readFileSync(kept.file);
  bytes[bytes.length - 9]! ^= 1;
  writeFileSync(kept.file, bytes);
  await kept.startAgain();
  await kept.node.waitForLine(/WARN.*ENGINE_FILE can't be used, so this start begins empty/);
  await eventually(() => expect(ann.resets).toHaveLength(2));
  expect(new Set(ann.hellos.map(({ session }) => session)).size).toBe(3);
}, 120_000);

it('a start that fails leaves the file as it was', async () => {
  const kept = await KeptNode.start();
  const ann = await TestClient.connect(kept.node.url);
  await ann.join('counter:kept');
  await ann.command('counter.add', { by: 3 }, { room: 'counter:kept' });
  expect(await kept.node.stop()).toBe(0);
  const blocker = await GatewayNode.start();
  endings.push(() => blocker.stop());
  const env = { ENGINE_FILE: kept.file, SERVER_PORT: String(blocker.port) };
  expect((await (await GatewayNode.launch({ env })).exited).code).toBe(1);
  await kept.startAgain();
  const again = await TestClient.connect(kept.node.url);
  await again.join('counter:kept');
  expect(await again.command('counter.read', {}, { room: 'counter:kept' })).toMatchObject({ value: 3 });
}, 60_000);

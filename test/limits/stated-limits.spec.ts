import { expect, it } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import { Module, type Type } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { RateLimit, RoomType } from '@wss/nest';
import { type AsyncApiDocument, ContractPageModule, readContract, toAsyncApi } from '@wss/nest/contract';
import { FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';

const HOUR = 3_600_000;
const PER = ['room', 'user', 'client'] as const;

type Options = Parameters<typeof RateLimit>[0];
type Operation = AsyncApiDocument['operations'][string];

/** Limits that may stand on one method. */
function randomLimits(random: Random, inRoom: boolean): Options[] {
  const count = random.below(4);
  return Array.from({ length: count }, (_, index) => {
    const per = random.pick(inRoom ? PER : PER.slice(1));
    const windowMs = (index + 1) * HOUR + (random.below(2) ? 0 : 60_000);
    const overRooms = per === 'user' && random.below(2) === 0;
    return { per, limit: 1 + random.below(6), windowMs, ...(overRooms && { overRooms }) };
  });
}

function featureWith(random: Random): { feature: Type<object>; maxMembers: number } {
  const handlers = (name: string, inRoom: boolean): Type<object> => {
    class Handlers {}
    for (const event of [`${name}.a`, `${name}.b`, `${name}.c`]) {
      const value = (): null => null;
      Object.defineProperty(Handlers.prototype, event, { value });
      const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, event)!;
      for (const limit of randomLimits(random, inRoom))
        RateLimit(limit)(Handlers.prototype, event, descriptor);
      SubscribeMessage(event)(Handlers.prototype, event, descriptor);
      Reflect.defineMetadata('design:paramtypes', [], Handlers.prototype, event);
    }
    return Handlers;
  };
  const inRooms = handlers('den', true);
  const maxMembers = 3 + random.below(2);
  RoomType('den', { maxMembers })(inRooms);
  @Module({ providers: [inRooms, handlers('yard', false)] })
  class FeatureModule {}
  return { feature: FeatureModule, maxMembers };
}

interface Sender {
  readonly client: TestClient;
  readonly user: string;
  readonly room: string;
}

/** The answers that the document promises, to commands one after another. */
class Promised {
  private readonly counts = new Map<string, number>();

  answer(operation: Operation, { client, user, room }: Sender, clients: readonly TestClient[]): string {
    const limits = operation['x-rate-limits'] ?? [];
    const keys = limits.map(({ per, windowMs }) => {
      const who = {
        ...{ room, 'user in a room': `${user} ${room}` },
        ...{ user, connection: String(clients.indexOf(client)) },
      }[per];
      return `${operation['x-event']} ${per} ${windowMs} ${who}`;
    });
    const isOver = keys.some((name, index) => (this.counts.get(name) ?? 0) >= limits[index]!.limit);
    if (isOver) return limits[0]!.code;
    for (const name of keys) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    return 'ok';
  }
}

const seed = newSeed();
it(`the contract states the limits that the node keeps (seed ${seed})`, async () => {
  for (let round = 0; round < 4; round++) {
    const random = new Random(seed + round);
    const { feature, maxMembers } = featureWith(random);
    const cluster = await FeatureCluster.start({
      features: [feature, ContractPageModule.forRoot({ title: 'limits' })],
      nodes: 1,
    });
    try {
      const { httpUrl } = cluster.nodes[0]!;
      const text = await (await fetch(new URL('/asyncapi.json', httpUrl))).text();
      const document = JSON.parse(text) as AsyncApiDocument;
      if (round === 0) {
        const { diagnostics } = await new Parser().parse(text);
        expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
      }
      await keepsWhatIsSaid(cluster, document, random);
      expect(document.channels['room-den']!['x-max-members']).toBe(maxMembers);
      await takesMembers(cluster, maxMembers);
      const page = await (await fetch(new URL('/contract', httpUrl))).text();
      showsAll(page, document);
      const contract = readContract(document);
      expect(toAsyncApi(contract, { title: document.info.title, version: document.info.version })).toEqual(
        document,
      );
    } finally {
      await cluster.stop();
    }
  }
});

async function keepsWhatIsSaid(
  cluster: FeatureCluster,
  document: AsyncApiDocument,
  random: Random,
): Promise<void> {
  const clients = await Promise.all(['ann', 'ann', 'bob'].map((user) => cluster.connect(user)));
  const rooms = ['den:1', 'den:2'];
  for (const room of rooms) for (const client of clients) await client.join(room);
  const promised = new Promised();
  const operations = Object.values(document.operations).filter(({ action }) => action === 'receive');
  expect(operations).toHaveLength(6);
  for (let sent = 0; sent < 150; sent++) {
    const operation = random.pick(operations);
    const event = operation['x-event'];
    const index = random.below(3);
    const sender = { client: clients[index]!, user: index < 2 ? 'ann' : 'bob', room: random.pick(rooms) };
    const options = event.startsWith('den.') ? { room: sender.room } : {};
    const { error } = await sender.client.request(event, {}, options);
    const answer = error?.code ?? 'ok';
    const wanted = promised.answer(operation, sender, clients);
    expect({ seed, sent, event, index, limits: operation['x-rate-limits'], answer }).toMatchObject({
      answer: wanted,
    });
  }
}

/** The clients of before are in other rooms. */
async function takesMembers(cluster: FeatureCluster, maxMembers: number): Promise<void> {
  for (let member = 0; member < maxMembers; member++) await cluster.connect(`m${member}`, { room: 'den:3' });
  await expect(cluster.connect('late', { room: 'den:3' })).rejects.toMatchObject({ code: 'limit' });
}

function showsAll(page: string, document: AsyncApiDocument): void {
  for (const { description = '', 'x-rate-limits': limits = [] } of Object.values(document.operations)) {
    const texts = description.split('\n').filter((line) => line !== '');
    expect(texts).toHaveLength(limits.length);
    for (const [index, text] of texts.entries()) {
      expect(text).toContain(`At most ${limits[index]!.limit} `);
      expect(page).toContain(text.slice(0, text.indexOf('"')));
    }
  }
}

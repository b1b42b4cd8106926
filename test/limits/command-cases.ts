import type { TestClient } from '@wss/testing';
import type { LimitCase, LimitCases, Met } from './limit-case.js';
import { RATE } from './mill.js';
import { codeAmid, ROOM, type Scene } from './scene.js';

/** Sends a command so often, one after another, each amid others; returns the codes of those beyond `most`. */
async function codesBeyond(
  most: number,
  times: number,
  send: (index: number) => Promise<string>,
): Promise<string[]> {
  const codes: string[] = [];
  for (let index = 0; index < times; index++) codes.push(await send(index));
  const early = codes.slice(0, most).filter((code) => code !== 'ok');
  if (early.length > 0) throw new Error(`refused within the limit: ${early.join()}`);
  return codes.slice(most);
}

const join = (client: TestClient, room: string, data: object = {}): Promise<string> =>
  codeAmid(client, '$join', data, { room });

const rooms: LimitCase = {
  code: 'limit',
  options: { limits: { maxRooms: 3 } },
  async meet(scene) {
    const client = await scene.connect('ann');
    const codes = await codesBeyond(3, 5, (index) => join(client, `mill:r${index}`));
    return { codes, stays: [client] };
  },
};

/** @param options of the node */
function members(way: string, room: string, options?: LimitCase['options']): LimitCase {
  return {
    ...{ way, code: 'limit', options },
    async meet(scene) {
      const clients = await Promise.all([1, 2, 3, 4, 5].map((user) => scene.connect(`u${user}`)));
      const codes = await codesBeyond(2, 5, (index) => join(clients[index]!, room));
      return { codes, stays: clients };
    },
  };
}

const lanes: LimitCase = {
  code: 'limit',
  options: { limits: { maxRooms: 1 } },
  async meet(scene) {
    const client = await scene.connect('ann', { session: true });
    const codes = await codesBeyond(20, 23, (by) =>
      codeAmid(client, 'mill.turn', { by }, { room: `mill:l${by}`, n: 1 }),
    );
    return { codes, stays: [client] };
  },
};

const unacknowledged: LimitCase = {
  code: 'out_of_order',
  async meet(scene) {
    const client = await scene.connect('ann', { session: true });
    const send = (by: number, ack = 0): Promise<string> =>
      codeAmid(client, 'mill.turn', { by }, { room: ROOM, n: by + 1, ack });
    const codes = await codesBeyond(32, 33, send);
    await codesBeyond(1, 1, () => send(32, 32));
    return { codes, stays: [client] };
  },
};

const record: LimitCase = {
  code: 'too_large',
  async meet(scene) {
    const client = await scene.connect('ann', { session: true });
    const code = await codeAmid(client, 'mill.show', {}, { room: 'mill:2', n: 1 });
    // Nothing was done, and the number is answered.
    const turns = await client.command('mill.turn', { by: 1 }, { room: 'mill:2', n: 2 });
    if (turns !== 1) throw new Error(`${String(turns)} turns`);
    return { codes: [code], stays: [client] };
  },
};

const keys: LimitCase = {
  code: 'rate_limited',
  async meet(scene) {
    const client = await scene.connect('ann');
    const options = { room: 'mill:3' };
    for (let by = 1; by < 10; by++) await client.command('mill.fill', { by }, options);
    const write = (by: number): Promise<string> => codeAmid(client, 'mill.once', { by }, options);
    const codes = await codesBeyond(1, 1, write);
    await client
      .command('mill.fill', { by: 0 }, options)
      .catch(({ code }: { code?: string }) => codes.push(code!));
    const beyond = [await write(1), await write(2)];
    // A key that is kept is answered.
    if ((await write(0)) !== 'ok') throw new Error('a repeat is refused');
    return { codes: [...codes, ...beyond], stays: [client] };
  },
};

const page: LimitCase = {
  code: 'invalid',
  async meet(scene) {
    const client = await scene.connect('ann');
    await join(client, ROOM);
    const ask = (limit: number): Promise<string> => codeAmid(client, '$history', { limit }, { room: ROOM });
    return { codes: await codesBeyond(1, 3, (index) => ask(500 + index)), stays: [client] };
  },
};

const meta: LimitCase = {
  code: 'invalid',
  async meet(scene) {
    const client = await scene.connect('ann');
    await codesBeyond(1, 1, () => join(client, 'mill:2', { meta: { m: 'x'.repeat(1_016) } }));
    const codes = await codesBeyond(0, 2, () => join(client, 'mill:2', { meta: { m: 'x'.repeat(1_017) } }));
    return { codes, stays: [client] };
  },
};

type Ask = (clients: readonly TestClient[], index: number) => Promise<string>;

/** @param ask sends a command; only so many of them may pass */
function rate(way: string, ask: Ask, metric = 'wss_commands_total{outcome="rate_limited"}'): LimitCase {
  return {
    ...{ way, metric, code: 'rate_limited' },
    async meet(scene): Promise<Met> {
      const clients = [await scene.connect('ann'), await scene.connect('ann'), await scene.connect('bob')];
      const codes = await codesBeyond(RATE, RATE + 3, (index) => ask(clients, index));
      return { codes, stays: clients };
    },
  };
}

const rates: readonly LimitCase[] = [
  rate('room', (clients, by) => codeAmid(clients[by % 3]!, 'mill.rush', { by }, { room: ROOM })),
  rate('user in a room', (clients, by) => codeAmid(clients[by % 2]!, 'mill.vote', { by }, { room: ROOM })),
  rate('user', (clients, by) => codeAmid(clients[by % 2]!, 'mill.roam', { by }, { room: `mill:o${by % 3}` })),
  rate('connection', ([client]) => codeAmid(client!, 'yard.knock', {})),
  {
    way: 'parts of a user',
    code: 'rate_limited',
    metric: 'wss_rate_parts_total',
    async meet(scene) {
      const client = await scene.connect('ann');
      const codes = await codesBeyond(RATE, RATE + 1, (by) =>
        codeAmid(client, 'mill.roam', { by }, { room: ROOM }),
      );
      // Near the end of a limit each command asks the engine.
      return { codes, times: { from: RATE + 1, to: RATE + 1 }, stays: [client] };
    },
  },
];

/** @param bytes of each command's data */
function underWay(way: string, bytes: number): LimitCase {
  const frame = (id: number): string =>
    JSON.stringify({ event: 'yard.wait', id, data: { text: 'x'.repeat(bytes) } });
  return {
    way,
    async meet(scene: Scene) {
      const client = await scene.connect('ann', { ws: { perMessageDeflate: false } });
      const most = Math.min(256, Math.ceil(1_048_576 / Buffer.byteLength(frame(100))));
      const count = most + 40;
      const metric = 'wss_client_pauses_total{by="commands"}';
      for (let id = 0; id < count; id++) client.sendRaw(frame(id + 100));
      await scene.until(async () => (await scene.counted(metric)) === 1 && scene.yard.waiting === most);
      await scene.bystanderGoesOn();
      scene.yard.open();
      for (let id = 0; id < count; id++) await client.next((reply) => reply.id === id + 100);
      if (scene.yard.most !== most) throw new Error(`${scene.yard.most} were under way, not ${most}`);
      // Those that waited may meet the limit again.
      return { codes: [], times: { from: 1, to: 41 }, stays: [client] };
    },
  };
}

export const COMMAND_CASES: LimitCases = {
  'rooms that a session': [rooms],
  'members of a room': [
    members('limits.membersPerRoom', 'mill:2', { limits: { membersPerRoom: 2 } }),
    members('maxMembers', 'cell:2'),
  ],
  'rooms in which a session has numbered commands': [lanes],
  'unacknowledged replies in a room': [unacknowledged],
  'a recorded reply': [record],
  "keys of a room's writes that take effect once": [keys],
  'a page of `$history`': [page],
  '`meta` of a client': [meta],
  'commands of an event': rates,
  'commands of a connection that are under way': [underWay('count', 1), underWay('bytes', 60_000)],
};

import { OPCODES, RawClient, rawFrame, type TestClient } from '@wss/testing';
import type { LimitCase, LimitCases } from './limit-case.js';
import { ADDRESS, type Scene } from './scene.js';

const raw = (scene: Scene): Promise<RawClient> =>
  RawClient.connect(scene.port, '/?user=ann', { 'X-Forwarded-For': ADDRESS });

const tooBig: LimitCase = {
  code: '1009',
  async meet(scene) {
    const client = await scene.connect('ann');
    const frame = JSON.stringify({ event: 'yard.look', id: 1, data: { by: 1 } });
    client.sendRaw(frame.padEnd(65_536));
    await client.next(({ id }) => id === 1);
    client.sendRaw(frame.padEnd(65_537));
    return { codes: [(await client.closed).code] };
  },
};

const fragments: LimitCase = {
  ...{ way: 'fragments', code: '1008' },
  async meet(scene) {
    const client = await raw(scene);
    const parts = Array.from({ length: 1_025 }, (_, index) =>
      rawFrame(index === 0 ? OPCODES.text : OPCODES.continuation, 'x', { fin: false }),
    );
    client.write(Buffer.concat(parts));
    return { codes: [(await client.ended)!] };
  },
};

const pieces: LimitCase = {
  ...{ way: 'pieces of TCP', code: '1008' },
  async meet(scene) {
    const client = await raw(scene);
    const frame = rawFrame(OPCODES.text, 'x'.repeat(60_000));
    // The node, in this process, reads what was sent in a turn of the event loop in the next one.
    for (let at = 0; at < frame.length && !client.socket.destroyed; at++) {
      await client.written(frame.subarray(at, at + 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { codes: [(await client.ended)!] };
  },
};

/** Sends the same until the client is not read from for a while, and waits for all answers. */
function slowed(
  by: 'frames' | 'bytes',
  limits: object,
  { text, atOnce }: { text: string; atOnce: number },
): LimitCase {
  return {
    options: { limits },
    async meet(scene) {
      const client = await scene.connect('ann');
      const metric = `wss_client_pauses_total{by="${by}"}`;
      let sent = 0;
      do {
        for (let i = 0; i < atOnce; i++) {
          client.sendRaw(JSON.stringify({ event: 'yard.look', id: ++sent, data: { by: sent, text } }));
        }
        await scene.until(async () => (await scene.counted(metric)) > 0 || answers(client) === sent);
      } while ((await scene.counted(metric)) === 0);
      await scene.bystanderGoesOn();
      for (let id = 1; id <= sent; id++)
        await client.next((reply) => reply.id === id && reply.data === id, 20_000);
      return { codes: [], times: { from: 1, to: sent }, stays: [client] };
    },
  };
}

const answers = (client: TestClient): number =>
  client.frames.filter(({ id }) => typeof id === 'number').length;

const pings: LimitCase = {
  metric: null,
  async meet(scene) {
    const client = await raw(scene);
    const count = 1_000;
    client.write(Buffer.concat(Array.from({ length: count }, (_, i) => rawFrame(OPCODES.ping, String(i)))));
    const pongs = (): number[] =>
      client.frames.filter(({ opcode }) => opcode === OPCODES.pong).map(({ payload }) => Number(payload));
    await scene.until(() => pongs().at(-1) === count - 1);
    client.write(rawFrame(OPCODES.text, '{"event":"yard.look","id":1,"data":{"by":3}}'));
    await scene.until(() => client.texts.length === 1);
    if (pongs().length > count / 10) throw new Error(`${pongs().length} pongs`);
    if (client.texts[0] !== '{"id":1,"data":3}') throw new Error(client.texts[0]);
    client.terminate();
    return { codes: [] };
  },
};

const lastFrames: LimitCase = {
  async meet(scene) {
    const headers = { 'X-Forwarded-For': ADDRESS, 'Sec-WebSocket-Protocol': 'wss.v1, wss.refusals' };
    const client = await RawClient.connect(scene.port, '/nowhere', headers);
    client.write(Buffer.concat(Array.from({ length: 5_000 }, () => rawFrame(OPCODES.text, '{}'))));
    // The cut may overtake the close frame.
    if (![4904, undefined].includes(await client.ended)) throw new Error(`closed with ${client.closeCode}`);
    return { codes: [] };
  },
};

export const FRAME_CASES: LimitCases = {
  'a frame': [tooBig],
  'fragments of a message': [fragments, pieces],
  'frames of a connection per second': [slowed('frames', { framesPerSecond: 50 }, { text: '', atOnce: 275 })],
  'bytes of these frames per second': [
    slowed('bytes', { bytesPerSecond: 100_000 }, { text: 'x'.repeat(60_000), atOnce: 9 }),
  ],
  'pings that wait': [pings],
  'frames that a client sends to a WebSocket that only tells why': [lastFrames],
};

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { eventually, GatewayNode, newSeed, OPCODES, RawClient, rawFrame } from '@wss/testing';
import { expectedEnd } from './expected-end.js';
import { hostileBytes } from './hostile-bytes.js';
import { Witness } from './witness.js';

const RUNS = process.env.HOSTILE === 'long' ? 5_000 : 250;
/** The run ends itself before this, and says how far it came. */
const WITHIN_MS = process.env.HOSTILE === 'long' ? 400_000 : 30_000;

let node: GatewayNode;
let witness: Witness;

beforeAll(async () => {
  node = await GatewayNode.start();
  witness = await Witness.connect(node, 'chat:witness');
});
afterAll(async () => {
  witness?.end();
  await node?.stop();
});

it('R29: any bytes end in a complete answer or a documented close, and cost their sender only', async () => {
  const seed = newSeed();
  const { pid } = node;
  await fc.assert(
    fc.asyncProperty(hostileBytes, async ({ bytes, cuts }) => {
      const client = await RawClient.connect(node.port, '/?user=hostile');
      try {
        await send(client, bytes, cuts);
        await judge(client, bytes);
      } finally {
        client.terminate();
      }
      await witness.goOn(1);
    }),
    { seed, numRuns: RUNS, interruptAfterTimeLimit: WITHIN_MS, endOnFailure: true },
  );
  expect([node.pid, await node.readiness()]).toEqual([pid, 200]);
  expect(node.output.filter((line) => /\b(ERROR|FATAL)\b|Unhandled|uncaught/i.test(line))).toEqual([]);
}, 600_000);

async function send(client: RawClient, bytes: Buffer, cuts: readonly number[]): Promise<void> {
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    await client.written(bytes.subarray(from, to));
    from = to;
  }
}

async function judge(client: RawClient, bytes: Buffer): Promise<void> {
  const { code, isPartial, texts, ping } = expectedEnd(bytes);
  if (code !== undefined) {
    expect([await client.ended, code]).toEqual([code, code]);
    return;
  }
  // The node waits for the rest, which never comes: the heartbeat ends such a connection.
  if (isPartial) return;
  client.write(rawFrame(OPCODES.text, '{"event":"$ping","id":"end"}'));
  const wanted = ['end', ...texts.flatMap(idOf)].sort();
  await eventually(() => expect(repliesOf(client)).toEqual(wanted));
  const pong = client.frames.findLast(({ opcode }) => opcode === OPCODES.pong);
  expect(pong?.payload.toString('hex')).toBe(ping?.toString('hex'));
}

/** The id of a request, which gets exactly one reply. */
function idOf(text: string): (string | number)[] {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return [];
  }
  const isObject = typeof frame === 'object' && frame !== null && !Array.isArray(frame);
  const id: unknown = isObject ? (frame as { id?: unknown }).id : undefined;
  if (typeof id === 'string') return Buffer.byteLength(id) <= 64 ? [id] : [];
  return Number.isSafeInteger(id) ? [id as number] : [];
}

function repliesOf({ texts }: RawClient): (string | number)[] {
  return texts.flatMap((text) => (JSON.parse(text) as { id?: string | number }).id ?? []).sort();
}

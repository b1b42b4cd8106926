import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { eventually, type Random } from '@wss/testing';
import type { WebSocket } from 'ws';
import { clientFrame, rawRequest, upgradeRequest } from '../../raw-request.js';
import { EVENTS, type GatewayPlan, type Place } from './random-gateways.js';
import type { RecordedClient, Stage } from './stage.js';

/** Frames of which no handler is to hear, or of which Nest has an opinion of its own. */
const ODD: readonly (string | Buffer)[] = [
  ...[
    '',
    'null',
    '17',
    '"a"',
    '["a"]',
    '{"data":1}',
    '{"event":"nobody","data":{}}',
    '{"event":{"a":1}}',
    '{"event',
  ],
  ...[
    '{"event":"a"}',
    '{"event":"a","data":null}',
    '{"event":"b","data":7,"more":{}}',
    '{"event":"__proto__"}',
  ],
  ...[Buffer.from([0xff, 0, 1]), Buffer.alloc(0), Buffer.from('{"event":"a","data":{"bytes":1}}')],
];

/** Bytes that break the protocol: a reserved opcode, no mask, text that is no UTF-8, a broken close code. */
const BROKEN: readonly Buffer[] = [
  Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
  Buffer.from([0x81, 0x01, 0x41]),
  Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]),
  Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xec]),
];

const ENDINGS = [
  'stays',
  'close',
  'close in a hurry',
  'terminate',
  'half close',
  'breaks',
  'asks',
  'too large',
] as const;

type Step =
  | { readonly kind: 'emit'; readonly event: string; readonly data: unknown }
  | { readonly kind: 'odd'; readonly frame: string | Buffer }
  | { readonly kind: 'pieces'; readonly event: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'mark' };

export interface ClientPlan {
  readonly name: string;
  readonly place: Place;
  /** Frames that come in one piece with the upgrade request. */
  readonly early: readonly string[];
  readonly steps: readonly Step[];
  readonly ending: (typeof ENDINGS)[number];
  readonly code: number;
  readonly broken: Buffer;
  readonly how: 'close' | 'close plainly' | 'terminate';
  /** The check of the place refuses it. */
  readonly refused: boolean;
}

const message = (random: Random): Step => ({
  kind: 'emit',
  event: random.pick(EVENTS),
  data: random.pick([{ n: random.below(100) }, random.below(100), 'text', null, [1, 'é']]),
});

function steps(random: Random): Step[] {
  return Array.from({ length: random.below(8) }, (): Step[] => {
    switch (random.below(6)) {
      case 0:
        return Array.from({ length: 10 + random.below(60) }, () => message(random));
      case 1:
        return [{ kind: 'odd', frame: random.pick(ODD) }];
      case 2:
        return [{ kind: 'pieces', event: random.pick(EVENTS) }];
      case 3:
        return [{ kind: 'ping' }];
      case 4:
        return [{ kind: 'mark' }];
      default:
        return [message(random)];
    }
  }).flat();
}

export function planClients(random: Random, places: readonly Place[]): ClientPlan[] {
  return Array.from({ length: 1 + random.below(4) }, (_, index) => {
    const place = random.pick(places);
    return {
      name: `c${index}`,
      place,
      early: Array.from({ length: random.below(3) * random.below(3) }, (__, n) =>
        JSON.stringify({ event: random.pick(EVENTS), data: { early: n } }),
      ),
      steps: steps(random),
      ending: random.pick(ENDINGS.filter((each) => each !== 'too large' || place.maxPayload !== undefined)),
      code: random.pick([1000, 1001, 4000, 4999]),
      broken: random.pick(BROKEN),
      how: random.pick(['close', 'close plainly', 'terminate'] as const),
      refused: place.verify !== undefined && random.below(4) === 0,
    };
  });
}

/** Plays a client's plan; in the end all that can be compared has arrived. */
export async function playClient(
  plan: ClientPlan,
  gateways: readonly GatewayPlan[],
  stage: Stage,
): Promise<void> {
  const { port, path = '/' } = plan.place;
  const target = `${path}?c=${plan.name}`;
  const at = port === 0 ? stage.port : port;
  if (plan.refused) {
    stage.notes.push(`${plan.name} http ${await rawRequest(at, upgradeRequest(`${target}&refused`))}`);
    return;
  }
  const client = await stage.client(target, {
    port: at,
    ...(plan.early.length > 0 && { createConnection: early(plan) }),
  });
  // Names its transcript.
  client.lines.unshift(plan.name);
  let marks = 0;
  const settled = async (): Promise<void> => {
    const mark = `${plan.name}-${++marks}`;
    client.emit('mark', mark);
    await client.saw(mark);
  };
  for (const step of plan.steps) await (step.kind === 'mark' ? settled() : take(step, client));
  await end(plan, client, settled);
  if (plan.ending !== 'stays') await told(plan, gateways, stage);
}

/** Lets the first write of a connection, the head of the request, bring frames with it. */
function early({ early: frames }: ClientPlan): () => Socket {
  const piece = Buffer.concat(frames.map((frame) => clientFrame(1, frame)));
  return ((options: NetConnectOpts) => {
    const socket = connect(options);
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    socket.write = ((head: string | Buffer, ...rest: unknown[]) => {
      Reflect.deleteProperty(socket, 'write');
      return write(
        Buffer.concat([Buffer.from(head as string), piece]),
        ...rest.filter((each) => typeof each === 'function'),
      );
    }) as never;
    return socket;
  }) as never;
}

function take(step: Exclude<Step, { kind: 'mark' }>, client: RecordedClient): void {
  const { socket } = client;
  if (step.kind === 'emit') client.emit(step.event, step.data);
  else if (step.kind === 'odd') client.send(step.frame);
  else if (step.kind === 'ping') socket.ping('are you there');
  else {
    socket.send(`{"event":"${step.event}",`, { fin: false });
    socket.ping('between');
    socket.send('"data":', { fin: false });
    socket.send('{"pieces":3}}', { fin: true });
  }
}

/** The TCP connection of a client. */
const streamOf = (socket: WebSocket): Socket => (socket as unknown as { _socket: Socket })._socket;

async function end(plan: ClientPlan, client: RecordedClient, settled: () => Promise<void>): Promise<void> {
  const { socket } = client;
  if (plan.ending === 'close in a hurry') return client.close(plan.code, 'in a hurry');
  if (plan.ending === 'half close') {
    await new Promise<void>((resolve) => streamOf(socket).end(resolve));
    return client.ended();
  }
  await settled();
  if (plan.ending === 'stays') return;
  if (plan.ending === 'close') socket.close(plan.code, 'bye');
  else if (plan.ending === 'terminate') socket.terminate();
  else if (plan.ending === 'breaks') streamOf(socket).write(plan.broken);
  else if (plan.ending === 'too large') client.emit('a', 'x'.repeat(plan.place.maxPayload!));
  else client.emit('end', [plan.how, plan.code]);
  await client.ended();
}

/** Waits until each gateway has heard that the client has gone, and its hooks have ended. */
async function told(
  { name, place }: ClientPlan,
  gateways: readonly GatewayPlan[],
  stage: Stage,
): Promise<void> {
  const there = gateways.filter((gateway) => gateway.place === place);
  const awaited = [
    `${name} mark gone`,
    ...there.filter(({ end: hook }) => hook !== 'none').map((gateway) => `${name} ${gateway.name} gone`),
    ...there.filter(({ hook }) => hook === 'waits').map((gateway) => `${name} ${gateway.name} ready`),
  ];
  await eventually(() => {
    const missing = awaited.filter((start) => !stage.notes.some((line) => line.startsWith(start)));
    if (missing.length > 0) throw new Error(`gateways did not note ${missing.join(', ')}`);
  });
}

import { readFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { freePort, newSeed, Random } from '@wss/testing';
import { releaseLogs } from '../../captured-logs.js';
import { DIFFERENCES } from './differences.js';
import { type ClientPlan, planClients, playClient } from './random-clients.js';
import { type GatewayPlan, makeGateways, type Place, planGateways } from './random-gateways.js';
import { playEach, type Transcript } from './stage.js';

/** `npm run chaos` asks for more. */
const PLAYS = process.env.CHAOS === 'long' ? 3_000 : 40;

/** Ways of the adapters, in the order in which they play. */
const ADAPTERS = ['alone', 'beside a path of the router'];

beforeAll(() => Logger.overrideLogger(false));
afterAll(releaseLogs);

function planPlaces(random: Random, ports: readonly number[]): Place[] {
  const all: Place[] = [
    ...[{ port: 0 }, { port: 0, path: '/x' }, { port: ports[0]! }],
    ...[
      { port: ports[1]!, path: '/y' },
      { port: ports[1]!, path: '/z' },
    ],
  ];
  return all
    .filter(() => random.below(2) === 0)
    .concat(random.pick(all))
    .filter((place, index, places) => places.indexOf(place) === index)
    .map((place) => ({
      ...place,
      ...(random.below(3) === 0 && { maxPayload: 500 }),
      ...(random.below(3) === 0 && { verify: random.pick(['sync', 'async'] as const) }),
    }));
}

type Groups = Record<string, string[]>;

function grouped(lines: readonly string[], groupOf: (line: string) => string): Groups {
  const groups: Groups = {};
  for (const line of lines) (groups[groupOf(line)] ??= []).push(line);
  return groups;
}

/** Errors that name no gateway may be those of several. */
function answerGroups(lines: readonly string[]): Groups {
  const groups = grouped(lines, answerGroup);
  for (const [key, answers] of Object.entries(groups)) {
    if (/Internal server error|Forbidden resource/.test(key)) answers.sort();
  }
  return groups;
}

interface Answer {
  readonly event?: string;
  readonly data?: { readonly cause?: { readonly pattern?: string }; readonly message?: string };
}

/** One handler's answers stay in order; those of different ones may overtake each other. */
function answerGroup(line: string): string {
  const [first, second = ''] = line.split(' ');
  if (first === 'bytes') return Buffer.from(second, 'hex').toString().split(' ')[0]!;
  if (!/^[{[]/.test(line)) return `${first} ${second}`;
  const parsed = JSON.parse(line) as Answer | unknown[];
  if (Array.isArray(parsed)) return `value ${String(parsed[0])}`;
  const { event, data } = parsed;
  if (event === 'told') return `told ${JSON.stringify(data)}`;
  return JSON.stringify([event, data?.message, data?.cause?.pattern, (data as Answer | undefined)?.event]);
}

/**
 * Each handler, hook and listener of a gateway hears one client in order. Handlers with guards begin a little
 * later than others, but none begins when the gateway has been told that the client has gone.
 */
function noteGroups(notes: readonly string[]): Groups {
  const gone = new Set<string>();
  return grouped(notes, (line) => {
    const [client, gateway, kind] = line.split(' ');
    const heard = `${client} ${gateway}`;
    if (kind === 'gone') gone.add(heard);
    return `${heard} ${kind}${gone.has(heard) && !isRaw(kind!) ? ' when it was gone' : ''}`;
  });
}

/** Messages that go by the adapter, and the ends of hooks, keep no order with the rest. */
const isRaw = (kind: string): boolean => ['raw', 'ping', 'ready'].includes(kind);

/** Returns the part of a run that must be the same under each adapter. */
function seen({ notes, clients }: Transcript, plans: readonly ClientPlan[]): object {
  const connected = plans.filter(({ refused }) => !refused);
  const byName = new Map(clients.map((lines) => [lines[0]!, lines.slice(1)]));
  return {
    notes: noteGroups(notes),
    clients: connected.map(({ name, ending }) => {
      const lines = byName.get(name) ?? [];
      // Its last answers may or may not have left.
      const isCut = ending === 'close in a hurry' || ending === 'half close';
      return answerGroups(isCut ? lines.filter((line) => line.startsWith('closed')) : lines);
    }),
  };
}

interface Plan {
  readonly gateways: readonly GatewayPlan[];
  readonly clients: readonly ClientPlan[];
}

async function play({ gateways, clients }: Plan): Promise<object[]> {
  const transcripts = await playEach({
    gateways: (note) => makeGateways(gateways, note),
    play: (stage) => Promise.all(clients.map((client) => playClient(client, gateways, stage))),
  });
  return transcripts.map((transcript) => seen(transcript, clients));
}

describe('random gateways and clients', () => {
  it('see under this adapter what they do under that of Nest, but for the documented differences', async () => {
    const seed = newSeed();
    const ports = [await freePort(), await freePort()];
    let messages = 0;
    for (let index = 0; index < PLAYS; index++) {
      const random = new Random(seed + index);
      const places = planPlaces(random, ports);
      const plan = { gateways: planGateways(random, places), clients: planClients(random, places) };
      messages += plan.clients.reduce((sum, { steps, early }) => sum + steps.length + early.length, 0);
      try {
        const [nest, ...ours] = await play(plan);
        for (const [way, each] of ours.entries())
          expect([ADAPTERS[way], each]).toEqual([ADAPTERS[way], nest]);
      } catch (cause) {
        throw new Error(`CHAOS_SEED=${seed + index}: ${(cause as Error).message}\n${JSON.stringify(plan)}`, {
          cause,
        });
      }
    }
    writeSync(process.stderr.fd, `gateways: ${JSON.stringify({ seed, plays: PLAYS, messages })}\n`);
  }, 3_600_000);
});

it('the document lists the differences that random gateways keep clear of, and no other', () => {
  const text = readFileSync(new URL('../../../../../docs/native-gateways.md', import.meta.url), 'utf8');
  const table = text.slice(text.indexOf('## What differs'), text.indexOf('## Beside socket.io'));
  const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Under'));
  expect(rows.map((row) => row.split(' | ')[0]!.slice(2))).toEqual(
    DIFFERENCES.map(({ underNest }) => underNest),
  );
});

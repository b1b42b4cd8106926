import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Injectable, type Provider } from '@nestjs/common';
import {
  bindClass,
  bindValue,
  type Command,
  CommandRecorder,
  HandlerOptions,
  type RecordedAnswer,
} from '@wss/core';
import { newSeed, Random, type TestClient } from '@wss/testing';
import type { Socket } from 'node:net';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { NativeApp } from '../native/native-app.js';
import { NoRecords, routerModule } from '../test-ports.js';
import { GLOBAL_PLACES, planned, type PlannedEnhancer } from './enhancer-plan.js';
import { globalProviders, routedWorld, useGlobals } from './enhancer-world.js';
import {
  commandClass,
  type PlannedCommand,
  plannedCommand,
  reads,
  ROOM_KINDS,
  store,
} from './short-way-plan.js';

const APPS = 24;
const COMMANDS = 24;
const DATA = [
  { text: 'words' },
  { text: 'words', more: 1 },
  { text: 7 },
  { text: 'too many words' },
  {},
  'text',
  0,
  null,
  undefined,
];

@WebSocketGateway({ commands: true })
class RouterGateway {}

/** Notes what can be recorded; it is the answer. */
class NotingRecorder extends NoRecords {
  override async record(command: Command, answer: RecordedAnswer): Promise<void> {
    if ('data' in answer) JSON.stringify(answer.data);
    const position = { epoch: 'e', seq: command.n! };
    command.effect = { position, duplicate: false, answer: () => answer };
  }
}

interface Play {
  readonly global: readonly PlannedEnhancer[];
  readonly commands: readonly PlannedCommand[];
  readonly asked: readonly Asked[];
}

interface Asked {
  readonly event: string;
  readonly data: unknown;
  readonly options: { readonly room?: string; readonly n?: number };
}

let native: NativeApp | undefined;
afterEach(async () => {
  await native?.stop();
  native = undefined;
});

async function start(
  wrapsAll: boolean,
  providers: Provider[],
  configure?: Parameters<typeof NativeApp.start>[0]['configure'],
): Promise<TestClient> {
  const options = bindValue(HandlerOptions, { globalEnhancers: true, wrapsAll });
  const module = routerModule({
    providers: [RouterGateway, options, bindClass(CommandRecorder, NotingRecorder), ...providers],
  });
  native = await NativeApp.start({ ...module, ...(configure && { configure }) });
  return native.client('/', { protocols: ['wss.v1'] });
}

function playOf(random: Random): Play {
  const commands = Array.from({ length: COMMANDS }, (_, index) => plannedCommand(random, index));
  let n = 0;
  const asked = commands.map(({ event, room }): Asked => {
    const numbered = room !== 'none' && random.below(3) === 0;
    const options = { ...(room !== 'none' && { room: `${room}:1` }), ...(numbered && { n: ++n }) };
    return { event, data: random.pick(DATA), options };
  });
  return { commands, asked, global: random.below(2) === 0 ? [] : planned(random, GLOBAL_PLACES, 3) };
}

/** The notes and the answer of each command. */
async function outcomes({ global, commands, asked }: Play, wrapsAll: boolean): Promise<unknown[]> {
  const notes: string[] = [];
  const note = (line: string) => void notes.push(line);
  const world = routedWorld(note);
  const providers = [
    ...ROOM_KINDS,
    ...globalProviders(global, world),
    ...commands.map((command) => commandClass(command, note)),
  ];
  const client = await start(wrapsAll, providers, (app) => useGlobals(app, global, world));
  await client.join('closed:1');
  const all: unknown[] = [];
  for (const { event, data, options } of asked) {
    const { id: _id, ...reply } = await client.request(event, data, options);
    all.push({ event, notes: notes.splice(0), reads: reads.splice(0), reply });
  }
  await native!.stop();
  return all;
}

describe('a handler that nothing runs around is called as Nest calls it', () => {
  beforeAll(() => void captureLogs());
  afterAll(releaseLogs);

  it('with the same arguments, store, answers and errors, whatever it returns or throws', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    let answered = 0;
    for (let index = 0; index < APPS; index++) {
      const play = playOf(random);
      const [short, wrapped] = [await outcomes(play, false), await outcomes(play, true)];
      expect({ seed, index, play, outcomes: short }).toEqual({ seed, index, play, outcomes: wrapped });
      answered += short.filter((outcome) => 'data' in (outcome as { reply: object }).reply).length;
    }
    expect(answered).toBeGreaterThan(APPS);
    process.stdout.write(`short-way: ${JSON.stringify({ seed, apps: APPS, answered })}\n`);
  }, 120_000);

  it.each([false, true])('and keeps the store that it enters to itself: wrapped %p', async (wrapsAll) => {
    @Injectable()
    class Entering {
      @SubscribeMessage('enter')
      enter(@MessageBody() name: string): unknown {
        const before = store.getStore() ?? 'nothing';
        store.enterWith(name);
        return before;
      }
    }
    const client = await start(wrapsAll, [Entering]);
    const { _socket: socket } = client.socket as unknown as { readonly _socket: Socket };
    socket.cork();
    const answers = ['one', 'two', 'three'].map((name) => client.request('enter', name));
    socket.uncork();
    expect((await Promise.all(answers)).map(({ data }) => data)).toEqual(['nothing', 'nothing', 'nothing']);
  });
});

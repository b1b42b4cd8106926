import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { eventually, freePort, RedisServer, TcpProxy, TemporaryFolder } from '@wss/testing';
import { WebSocket } from 'ws';
import { Application, type Listening, type Template } from './application.js';
import { Document } from './document.js';
import { Members } from './members.js';
import { copyPackages } from './packages.js';
import { type PlayedLine, Terminal } from './terminal.js';

/** Ends a test that hangs. */
const TIMEOUT_MS = 900_000;
const LINE_WITHIN_MS = 30_000;
const PATIENCE = { withinMs: LINE_WITHIN_MS };
const ROOM = 'poll:lunch';
/** More clients than Node's own listen backlog, 511, has room for. */
const STORM = 700;
/** The logins of docs/nest.md. */
const EDITOR = { cookie: 'login=c1' };
const READER = { cookie: 'login=c2' };

const page = new Document('docs/nest.md');
const fixture = (file: string): string => readFileSync(new URL(`files/${file}`, import.meta.url), 'utf8');

/**
 * A fresh application of Nest's template that is changed as docs/nest.md says does what that page promises. Each test
 * goes on where the one before ended, as a reader does.
 *
 * @param whySkipped the reason why no application can be made here
 */
export function applicationContract(template: Template, whySkipped: string | undefined): void {
  const name = `a fresh application with Nest ${template.nest} and ${template.platform}`;
  if (whySkipped === undefined) return describe(name, () => tests(template));
  process.stderr.write(`SKIPPED: ${name}: ${whySkipped}\n`);
  describe.skip(`${name} (SKIPPED: ${whySkipped})`, () => tests(template));
}

function tests(template: Template): void {
  const { nest, platform } = template;
  let app: Application;
  /** In the place of a clone of this repository. */
  let clone: TemporaryFolder;
  let redis: RedisServer;
  let ports: { readonly alone: number; readonly first: number; readonly second: number };
  let reader: Terminal;
  let processes: readonly Listening[];
  beforeAll(async () => {
    clone = new TemporaryFolder('clone');
    [app, redis] = await Promise.all([
      Application.create(template),
      RedisServer.start(),
      copyPackages(join(clone.path, 'build/packages')),
    ]);
    ports = { alone: await freePort(), first: await freePort(), second: await freePort() };
    reader = new Terminal(app, {
      '"$WSS"': clone.path,
      'localhost:6379': `127.0.0.1:${redis.port}`,
      '3000': String(ports.alone),
      '3001': String(ports.first),
      '3002': String(ports.second),
      localhost: '127.0.0.1',
      ...(nest === 11 ? page.versions('1. Install') : {}),
    });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await app?.remove();
    await redis?.stop();
    clone.remove();
  }, TIMEOUT_MS);

  const step = (title: string, test: () => Promise<void>): void => it(title, test, TIMEOUT_MS);
  const play = (section: string, at = 0): Promise<PlayedLine[]> => reader.play(page.shell(section)[at]!);
  const copy = (section: string): void => {
    for (const { file, text } of page.files(section)) app.write(file, text);
  };

  step('installs the package without a conflict of versions', async () => {
    const [installed] = await play('1. Install');
    expect(installed!.output).not.toMatch(/ERESOLVE|peer dep|deprecated/);
    await app.run(['npm', 'ls']);
  });

  step('is switched on by nest add', async () => {
    await play('2. Switch it on');
    const [module] = page.files('2. Switch it on');
    app.write('expected.ts', module!.text.replace(/^.*\n/, ''));
    expect(app.read('src/app.module.ts')).toBe(app.read('expected.ts'));
    const main = app.read('src/main.ts');
    for (const line of [
      "import { useWss } from '@wss/nest';",
      '  useWss(app);\n  app.enableShutdownHooks();\n',
    ])
      expect(main).toContain(line);
    await app.run(['rm', 'expected.ts']);
  });

  step('runs the test of a generated feature with its own runner, and its linter', async () => {
    const [made] = await play('3. Add a feature');
    expect(made!.output!.match(/CREATE \S+/g)).toHaveLength(5);
    await play('3. Add a feature', 1);
    const { output, code } = await app.attempt(['npm', 'run', 'lint']);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).not.toMatch(/src\/poll/);
    await app.run(['npx', 'prettier', '--check', 'src']);
  });

  step('serves a room from the embedded engine', async () => {
    copy('4. See it live');
    await play('4. See it live');
    await app.run(['npm', 'run', 'build']);
    const lines = await play('4. See it live', 1);
    await sees(lines, /^1 bob soup$/);
    await endAll(lines);
  });

  step('shows in an e2e test what is missing, and runs it when it is there', async () => {
    const { code, output } = await app.attempt(['npm', 'run', 'test:e2e']);
    expect(code).not.toBe(0);
    expect(output).toContain('useWss(app)');
    const setUp = page.only('Tests', 'ts').text.trim();
    app.edit('test/app.e2e-spec.ts', /app = moduleFixture[^]*?await app\.init\(\);/, setUp);
    app.edit('test/app.e2e-spec.ts', /^/, "import { useWss } from '@wss/nest';\n");
    await app.run(['npm', 'run', 'test:e2e']);
  });

  step('shows members what a controller of another process writes', async () => {
    copy('5. Write from a controller');
    copy('6. Several processes on one Redis');
    await play('6. Several processes on one Redis');
    const lines = await play('6. Several processes on one Redis', 1);
    await sees(lines, /^1 office salad$/);
    await endAll(lines);
  });

  describe('with an admission of its own, beside an old gateway and guards for HTTP', () => {
    step('starts two processes on one Redis', async () => {
      copy('Who may connect');
      guardRemoval();
      copy(platform === 'express' ? 'Express' : 'Fastify');
      await play('Health');
      copy('Health');
      await play('Metrics');
      await app.run(['npm', 'install', `@nestjs/platform-ws@${nest}`]);
      addExtras();
      await app.run(['npm', 'run', 'build']);
      processes = await Promise.all([app.start(env()), app.start(env())]);
    });

    /** Puts the guard of the document onto a command of the generated feature. */
    const guardRemoval = (): void => {
      const file = 'src/poll/poll.handlers.ts';
      const [decorators] = page.snippets('Who may connect');
      app.edit(file, / *@SubscribeMessage\('poll\.remove'\)\n/, decorators!.text);
      app.edit(file, /import { Injectable }/, 'import { Injectable, UseGuards }');
      app.edit(file, /^/, "import { EditorsOnly } from './editors-only.guard.js';\n");
    };

    const addExtras = (): void => {
      for (const name of ['extras.module', 'life', 'old.gateway', 'http-only.guard', 'refusals', 'context'])
        app.write(`src/${name}.ts`, fixture(`${name}.ts`));
      const [metrics] = page.snippets('Metrics');
      const free = metrics!.text.replace('9090', '0').trim();
      app.edit('src/extras.module.ts', /imports: \[/, `imports: [${free}`);
      app.edit('src/extras.module.ts', /^/, "import { WssMetricsModule } from '@wss/nest/metrics';\n");
      const adapter = fixture('adapter.ts');
      const other = adapter.replaceAll('Fastify', 'Express').replace('fastify', 'express');
      app.write('src/adapter.ts', platform === 'express' ? other : adapter);
      const root = 'src/app.module.ts';
      app.edit(root, /\n    PollModule,/, '\n    PollModule,\n    ExtrasModule,');
      app.edit(root, /path: '\/live',/, "path: '/live', globalEnhancers: process.env.GLOBAL === 'on',");
      app.edit(root, /^/, "import { ExtrasModule } from './extras.module.js';\n");
    };

    const env = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ REDIS_URL: redis.url, ...extra });
    const http = (at: number, path: string, options: RequestInit = {}): Promise<Response> =>
      fetch(`http://127.0.0.1:${processes[at]!.port}${path}`, options);
    const add = (at: number, text: string, room = ROOM): Promise<Response> =>
      http(at, `/polls/${room.split(':')[1]}`, { method: 'POST', body: new URLSearchParams({ text }) });
    const live = (port: number): string => `ws://127.0.0.1:${port}/live`;
    const gather = (users: readonly string[], port: number, room: `${string}:${string}`): Promise<Members> =>
      Members.join(users, {
        folder: app.folder,
        url: live(port),
        room,
        headersOf: (user) => (user.startsWith('editor') ? EDITOR : READER),
      });

    step('admits whom its own provider knows', async () => {
      expect(await statusOf(new WebSocket(live(processes[0]!.port)))).toBe(401);
      expect(
        await statusOf(new WebSocket(live(processes[0]!.port), { headers: { cookie: 'login=c9' } })),
      ).toBe(401);
      expect(await statusOf(new WebSocket(live(processes[0]!.port), { headers: READER }))).toBe(101);
    });

    step('gives guards the claims, and refuses what they forbid and pipes find invalid', async () => {
      const room = 'poll:claims';
      const [editors, readers] = await Promise.all([
        gather(['editor'], processes[0]!.port, room),
        gather(['reader'], processes[1]!.port, room),
      ]);
      const [editor, reading] = [editors.all[0]!.room, readers.all[0]!.room];
      const { id } = (await reading.command('poll.add', { text: 'tea' })) as { id: string };
      await Promise.all([editors.see(1), readers.see(1)]);
      expect(editors.all[0]!.data).toEqual([{ id, text: 'tea', user: 'bob' }]);
      await expect(reading.command('poll.remove', { id })).rejects.toMatchObject({ code: 'forbidden' });
      await expect(reading.command('poll.add', { text: '' })).rejects.toMatchObject({ code: 'invalid' });
      expect(await editor.command('poll.remove', { id })).toEqual({});
      editors.close();
      readers.close();
    });

    step('answers errors of rooms over HTTP with their status', async () => {
      expect((await add(0, 'x'.repeat(201), 'poll:http')).status).toBe(400);
      expect((await http(0, '/polls/http/nope', { method: 'DELETE' })).status).toBe(404);
      expect((await http(0, '/polls/bad%20name/nope', { method: 'DELETE' })).status).toBe(400);
      expect((await add(0, 'fine', 'poll:http')).status).toBe(201);
    });

    step('adds once what is posted again under the same Idempotency-Key, on whatever process', async () => {
      const post = async (at: number, text: string): Promise<unknown> => {
        const headers = { 'idempotency-key': 'first' };
        const body = new URLSearchParams({ text });
        const response = await http(at, '/polls/once', { method: 'POST', headers, body });
        return response.status === 201 ? response.json() : response.status;
      };
      const answers = await Promise.all([0, 1, 0, 1].map((at) => post(at, 'tea')));
      expect(answers).toEqual(answers.map(() => ({ id: expect.any(String) })));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(await post(1, 'coffee')).toBe(422);
    });

    step('says once which guard of the application fails on commands, and what to do', async () => {
      const { process, port } = await app.start(env({ GUARD: 'on', GLOBAL: 'on' }));
      const members = await gather(['editor', 'reader'], port, 'poll:global');
      for (const { room } of members.all)
        await expect(room.command('poll.add', { text: 'tea' })).rejects.toMatchObject({ code: 'internal' });
      members.close();
      const request = { method: 'POST', headers: { 'x-blocked': '1' } };
      expect((await fetch(`http://127.0.0.1:${port}/polls/http`, request)).status).toBe(403);
      await process.stop(LINE_WITHIN_MS);
      const told = process.output.lines.filter((line) => line.includes('globalEnhancers'));
      expect(told).toEqual([expect.stringContaining('HttpOnlyGuard')]);
    });

    step('keeps such a guard off commands where it is told to', async () => {
      const { process, port } = await app.start(env({ GUARD: 'on' }));
      const members = await gather(['reader'], port, 'poll:global');
      await members.all[0]!.room.command('poll.add', { text: 'tea' });
      await members.see(1);
      members.close();
      await process.stop(LINE_WITHIN_MS);
    });

    step('leaves the old gateway as it was', async () => {
      const [ann, bob] = [0, 1].map(() => new WebSocket(`ws://127.0.0.1:${processes[0]!.port}/old`));
      await Promise.all([once(ann!, 'open'), once(bob!, 'open')]);
      ann!.send(JSON.stringify({ event: 'count' }));
      expect(await frameOf(ann!)).toEqual({ event: 'count', data: 2 });
      const heard = frameOf(bob!);
      ann!.send(JSON.stringify({ event: 'shout', data: 'hi' }));
      expect(await heard).toEqual({ event: 'shouted', data: 'hi' });
      ann!.close();
      bob!.close();
    });

    step('tells its health and its metrics', async () => {
      const health = await http(0, '/status');
      expect({ status: health.status, body: await health.json() }).toMatchObject({
        status: 200,
        body: { status: 'ok', info: { wss: { status: 'up' } } },
      });
      const [, url] = await processes[0]!.process.output.waitFor(/metrics, .*: (http:\S+)/, LINE_WITHIN_MS);
      expect(await (await fetch(url!)).text()).toMatch(/^wss_clients \d+$/m);
    });

    step('has room for all clients of a lost process that connect at once', async () => {
      const { process, port } = processes[1]!;
      await process.pause();
      const sockets: Socket[] = [];
      try {
        await Promise.all(Array.from({ length: STORM }, () => connected(port, sockets)));
      } finally {
        for (const socket of sockets) socket.destroy();
        process.resume();
      }
    });

    step('lets the clients of an ending process go on at the other, and loses nothing', async () => {
      const [stopped, other] = processes as [Listening, Listening];
      const balancer = await TcpProxy.start({ to: stopped.port });
      const room = 'poll:drain';
      let written = 0;
      const write = async (): Promise<void> => {
        expect((await add(1, `item ${++written}`, room)).status).toBe(201);
      };
      const users = Array.from({ length: 6 }, (_, index) => [`editor${index}`, `reader${index}`]).flat();
      const members = await gather(users, balancer.port, room);
      await write();
      await members.see(1);
      balancer.target = other.port;
      stopped.process.signal('SIGTERM');
      for (let gone = 1; gone <= members.all.length; gone++) {
        await eventually(() => members.all.filter(({ codes }) => codes.length > 0).length >= gone, PATIENCE);
        await write();
      }
      expect(await stopped.process.exited).toEqual({ code: 0, signal: null });
      await eventually(() => members.all.every(({ hellos }) => hellos.length === 2), PATIENCE);
      await write();
      await members.see(written);
      for (const { codes, hellos } of members.all) {
        expect(codes).toEqual([1012]);
        expect(hellos[1]).toMatchObject({ resumed: true, session: hellos[0]!.session });
      }
      members.close();
      await balancer.stop();
    });

    step("keeps its rooms open until the last of the application's own hooks", async () => {
      const lines = processes[0]!.process.output.lines.flatMap((line) => line.match(/^life .*/) ?? []);
      expect(lines).toEqual([
        expect.stringMatching(/^life onApplicationBootstrap \d+$/),
        expect.stringMatching(/^life onModuleDestroy \d+$/),
        expect.stringMatching(/^life beforeApplicationShutdown \d+$/),
        expect.stringMatching(/^life onApplicationShutdown \d+$/),
      ]);
    });
  });

  describe('with half of an installation', () => {
    const refusal = async (kind: string): Promise<string> => {
      const { code, output } = await app.attempt(['node', 'dist/refusals', kind], {
        env: { REDIS_URL: redis.url },
      });
      expect({ code, output }).toMatchObject({ code: 1 });
      return output;
    };
    step('refuses to boot with the adapter of before alone', async () => {
      expect(await refusal('the adapter of before')).toMatch(/useWss\(app\)/);
    });
    step('refuses to boot when another adapter took the place of ours', async () => {
      expect(await refusal('another adapter')).toMatch(/remove app\.useWebSocketAdapter/);
    });
    step('refuses to boot without the module', async () => {
      expect(await refusal('without the module')).toMatch(/WssModule\.forRoot/);
    });
    step('lets a script use the rooms without clients', async () => {
      const output = await app.run(['node', 'dist/context'], { env: { REDIS_URL: redis.url } });
      expect(output).toMatch(/appended 1/);
    });
  });
}

async function sees(lines: readonly PlayedLine[], line: RegExp): Promise<void> {
  const members = lines.filter((each) => each.process && each.line.includes('member.mjs'));
  expect(members).not.toEqual([]);
  await Promise.all(members.map(({ process }) => process!.output.waitFor(line, LINE_WITHIN_MS)));
}

async function endAll(lines: readonly PlayedLine[]): Promise<void> {
  await Promise.all(lines.map(({ process }) => process?.stop(LINE_WITHIN_MS)));
}

/** The status of the answer to an upgrade request. */
function statusOf(socket: WebSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.close();
      resolve(101);
    });
    socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode!));
    socket.once('error', reject);
  });
}

async function frameOf(socket: WebSocket): Promise<unknown> {
  const [data] = (await once(socket, 'message')) as [Buffer];
  return JSON.parse(String(data));
}

/** Resolves when the kernel has accepted the connection. */
function connected(port: number, all: Socket[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', resolve);
    socket.setTimeout(LINE_WITHIN_MS, () => reject(new Error('the backlog is full')));
    socket.once('error', reject);
    all.push(socket);
  });
}

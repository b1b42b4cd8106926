import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { eventually, freePort, newSeed, Random } from '@wss/testing';

interface Target {
  readonly connections: number;
}
interface FrontLike {
  readonly held: ReadonlySet<unknown>;
  readonly clients: ReadonlySet<unknown>;
  readonly servers: readonly Server[];
  listen(port: number, hosts: readonly string[]): Promise<void>;
  add(target: Target): void;
  remove(target: Target): void;
  close(): void;
}
const load = (name: string): Promise<unknown> => import(pathToFileURL(`scripts/lib/${name}.mjs`).href);
const { Front } = (await load('front')) as {
  Front: new (options?: { holdMs?: number; mostHeld?: number }) => FrontLike;
};
const { FrontTarget } = (await load('front-target')) as { FrontTarget: new (port: number) => Target };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server of HTTP that answers with its name, and says at /health/ready if it takes clients. */
class Place {
  isReady = true;
  isAlive = false;
  port = 0;
  /** Requests of clients that it got while it took none. */
  wrong = 0;
  private server!: Server;

  constructor(readonly name: string) {
    ends.push(() => this.isAlive && this.die());
  }

  async live(): Promise<void> {
    this.server = createServer((request, response) => {
      if (request.url === '/health/ready') return response.writeHead(this.isReady ? 200 : 503).end();
      if (!this.isReady) this.wrong++;
      return response.end(this.name);
    });
    // The same after a death; the kernel gives none of these to a connection meanwhile.
    this.port ||= await freePort();
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.isAlive = true;
  }

  /** As the kernel does it when a process is killed. */
  async die(): Promise<void> {
    this.isAlive = false;
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}

/** A client whose request is sent before anybody has accepted it. */
class Caller {
  readonly answer: Promise<string>;
  readonly socket: Socket;
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1').setEncoding('utf8');
    this.socket.on('error', () => undefined);
    this.socket.write('GET / HTTP/1.1\r\nhost: front\r\n\r\n');
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    let text = '';
    this.answer = new Promise((resolve) => {
      this.socket.on('data', (part: string) => {
        text += part;
        const [, body] = text.split('\r\n\r\n');
        if (body) resolve(text.startsWith('HTTP/1.1 200') ? body.trim() : text.split('\r\n')[0]!);
      });
      void this.closed.then(() => resolve('closed'));
    });
    ends.push(() => this.socket.destroy());
  }
}

async function open(options?: { holdMs?: number; mostHeld?: number }): Promise<[FrontLike, number]> {
  const front = new Front(options);
  await front.listen(0, ['127.0.0.1']);
  ends.unshift(() => front.close());
  return [front, (front.servers[0]!.address() as AddressInfo).port];
}

async function places(front: FrontLike, count: number): Promise<Place[]> {
  const all = Array.from({ length: count }, (_, index) => new Place(`place ${index}`));
  for (const place of all) {
    await place.live();
    front.add(new FrontTarget(place.port));
  }
  return all;
}

describe('a front', () => {
  it('leads every client to a node that takes clients, whatever happens to the nodes', async () => {
    const random = new Random(newSeed());
    const done = [`seed ${random.seed}`];
    const [front, port] = await open();
    const all = await places(front, 3);
    const serving = (): Place[] => all.filter(({ isAlive, isReady }) => isAlive && isReady);
    const waiting: Caller[] = [];
    for (let step = 0; step < 150; step++) {
      const place = random.pick(all);
      if (random.below(3) > 0) {
        const caller = new Caller(port);
        waiting.push(caller);
        if (serving().length === 0) continue;
        const names = serving().map(({ name }) => name);
        const answers = await Promise.all(waiting.map(({ answer }) => answer));
        done.push(`asked, ${names.join()} serve: ${answers.join()}`);
        if (answers.some((answer) => !names.includes(answer))) throw new Error(done.join('\n'));
        for (const { socket } of waiting.splice(0)) if (random.below(2) > 0) socket.destroy();
      } else if (random.below(2) > 0) {
        done.push(`${place.name} ${place.isAlive ? 'dies' : 'lives'}`);
        await (place.isAlive ? place.die() : place.live());
      } else {
        place.isReady = !place.isReady;
        done.push(`${place.name} is ${place.isReady ? 'ready' : 'not ready'}`);
      }
    }
    for (const place of all) place.isReady = true;
    for (const place of all) if (!place.isAlive) await place.live();
    for (const { answer } of waiting) expect(await answer).toMatch(/^place/);
    expect(all.map(({ wrong }) => wrong)).toEqual([0, 0, 0]);
  });

  it('leads each to the node with the fewest', async () => {
    const [front, port] = await open();
    await places(front, 3);
    const callers = Array.from({ length: 30 }, () => new Caller(port));
    const count = (answers: readonly string[]): number[] =>
      [0, 1, 2].map((index) => answers.filter((answer) => answer === `place ${index}`).length);
    const answers = await Promise.all(callers.map(({ answer }) => answer));
    expect(count(answers)).toEqual([10, 10, 10]);
    const gone = callers.filter((_, index) => answers[index] === 'place 1');
    for (const { socket } of gone) socket.destroy();
    await eventually(() => expect(front.clients.size).toBe(20));
    const more = await Promise.all(gone.map(() => new Caller(port).answer));
    expect(count(more)).toEqual([0, 10, 0]);
  });

  it('holds clients while there is no node, in bounds, and lets go of those that have gone', async () => {
    const [front, port] = await open({ mostHeld: 3 });
    const callers = Array.from({ length: 3 }, () => new Caller(port));
    await eventually(() => expect(front.held.size).toBe(3));
    expect(await new Caller(port).answer).toBe('HTTP/1.1 503 Service Unavailable');
    callers[0]!.socket.end();
    await callers[0]!.closed;
    await eventually(() => expect(front.held.size).toBe(2));
    await places(front, 1);
    expect(await Promise.all(callers.slice(1).map(({ answer }) => answer))).toEqual(['place 0', 'place 0']);
  });

  it('tells a client that waited too long', async () => {
    const [, port] = await open({ holdMs: 100 });
    const caller = new Caller(port);
    expect(await caller.answer).toBe('HTTP/1.1 503 Service Unavailable');
    await caller.closed;
  });

  it('leads none to a node that was taken out, and leaves those that it has', async () => {
    const [front, port] = await open();
    const first = new Place('the first');
    await first.live();
    const target = new FrontTarget(first.port);
    front.add(target);
    const caller = new Caller(port);
    expect(await caller.answer).toBe('the first');
    front.remove(target);
    const next = new Caller(port);
    await eventually(() => expect(front.held.size).toBe(1));
    await places(front, 1);
    expect(await next.answer).toBe('place 0');
    expect(caller.socket.destroyed).toBe(false);
    await first.die();
    await caller.closed;
  });
});

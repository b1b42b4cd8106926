import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { Injectable, type LoggerService, Module } from '@nestjs/common';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { WssClient, type WssError } from '@wss/client';
import { SubscribeMessage } from '@nestjs/websockets';
import {
  Admission,
  type Admitted,
  Command,
  CurrentCommand,
  type ExpiredSession,
  GatewayError,
  OnSession,
  Presence,
  Rooms,
  RoomType,
  Sessions,
  Users,
} from '@wss/nest';
import { eventually, FeatureCluster, newSeed, Random, type TestClient, UpgradeRefused } from '@wss/testing';
import { ENGINES, startOn } from './fixtures/any-engine.js';

/** Admits everybody, with a token that was issued when the header says. */
@Injectable()
class HeaderAdmission extends Admission {
  admit({ headers }: IncomingMessage, url: URL): Admitted {
    return this.identityOf(url.searchParams.get('user')!, headers['x-issued'] as string | undefined);
  }

  override refresh(token: string, user: string): Admitted {
    return this.identityOf(user, token === 'none' ? undefined : token);
  }

  private identityOf(user: string, issued: string | undefined): Admitted {
    return { user, ...(issued !== undefined && { issuedAt: Number(issued) }) };
  }
}

interface Greeting {
  readonly session: string;
  readonly token: string;
  readonly resumed: boolean;
  readonly user: string;
}

let expired: ExpiredSession[] = [];

@Injectable()
@RoomType('note', { presence: true })
class Notes {
  constructor(private readonly users: Users) {}

  @SubscribeMessage('note.revoke-me')
  revokeMe(@CurrentCommand() { user }: Command): Promise<void> {
    return this.users.revoke(user, { by: user, reason: 'a feature can do it too' });
  }

  @OnSession('expired')
  onExpired(session: ExpiredSession): void {
    expired.push(session);
  }
}

@Module({ providers: [Notes] })
class NotesModule {}

/** Opens with a token that was issued long before. */
class WithIssued extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { headers: { 'x-issued': String(Date.now() - 60_000) } });
  }
}

const ROOM = 'note:1';
const HOUR_S = 3_600;
/** True time, whatever the clock of the process shows. */
const trueTime = (): number => performance.timeOrigin + performance.now();
/** Issued before a revocation, and as late as Redis' clock and the leeway of issuers allow. */
const issued = { long_ago: () => Date.now() - 60_000, just_now: () => trueTime() + 1_900 };

/** A logger whose lines are kept, but for those of development. */
function keptIn(lines: string[]): LoggerService {
  const log = (line: string): void => void lines.push(line);
  const quiet = (): void => undefined;
  return { log, warn: log, error: log, fatal: log, debug: quiet, verbose: quiet };
}

describe.each(ENGINES)('users who must go on %s', (engine) => {
  let cluster: FeatureCluster;
  const lines: string[] = [];
  const seed = newSeed();
  const random = new Random(seed);
  let names = 0;

  beforeAll(async () => {
    const options = { auth: { use: HeaderAdmission }, presence: { graceMs: 50_000 } } as const;
    const nodes = { features: [NotesModule], nodes: 3, options, logger: keptIn(lines) };
    cluster = await startOn(engine, nodes);
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    expired = [];
    lines.length = 0;
  });

  const anybody = (): string => `${random.pick(['ann', 'a b', 'änne', '*', '"x"'])} ${++names}`;
  const users = (node = random.below(3)): Users => cluster.nodes[node]!.get(Users);

  async function connect(
    user: string,
    { issuedAt, token, node = random.below(3) }: { issuedAt?: number; token?: string; node?: number } = {},
  ): Promise<{ client: TestClient; hello: Greeting }> {
    const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
    const headers: Record<string, string> = issuedAt === undefined ? {} : { 'x-issued': String(issuedAt) };
    const client = await cluster.connect(user, { node, protocols, headers });
    return { client, hello: (await client.event('$hello')).data as Greeting };
  }
  /** Connects as soon as a new token is accepted: those of the second of a revocation and of two more are not. */
  const connectAgain = (user: string, token?: string): ReturnType<typeof connect> =>
    eventually(() => connect(user, { issuedAt: issued.just_now(), ...(token !== undefined && { token }) }));
  const refused = async (connecting: Promise<unknown>): Promise<number> => {
    const error = (await connecting.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )) as UpgradeRefused;
    expect(error).toBeInstanceOf(UpgradeRefused);
    return error.status;
  };

  it('R39: are put out on all nodes, their tokens refused and their sessions over', async () => {
    for (let round = 0; round < 5; round++) {
      const user = anybody();
      const here = await Promise.all(
        Array.from({ length: 1 + random.below(6) }, () => connect(user, { issuedAt: issued.long_ago() })),
      );
      const witness = await connect('witness', { issuedAt: issued.just_now() });
      for (const { client } of [...here, witness]) await client.join(ROOM);
      await users().revoke(user, { by: 'tests' });
      for (const { client } of here) expect(await client.closed).toEqual({ code: 4501, reason: 'revoked' });
      expect(await refused(connect(user, { issuedAt: issued.long_ago() }))).toBe(401);
      expect(await refused(connect(user))).toBe(401);
      for (const { hello } of here) {
        const again = await connectAgain(user, hello.token);
        expect(again.hello).toMatchObject({ resumed: false, rooms: [] });
        await again.client.close();
      }
      await witness.client.request('$ping', {});
      await witness.client.close();
    }
  });

  it('R39: cost nobody else anything, and nobody who comes while another is put out', async () => {
    const [gone, stays] = [anybody(), anybody()];
    const client = await connect(stays, { issuedAt: issued.long_ago() });
    const coming = Array.from({ length: 20 }, () =>
      connect(gone, { issuedAt: issued.long_ago() }).then(
        ({ client: one }) => one.closed.then(({ code }) => code),
        (error: UpgradeRefused) => error.status,
      ),
    );
    await users().revoke(gone, { by: 'tests' });
    expect(
      [...new Set(await Promise.all(coming))].sort().filter((code) => ![401, 4501].includes(code)),
    ).toEqual([]);
    await client.client.request('$ping', {});
    expect((await connect(stays, { issuedAt: issued.long_ago() })).hello.user).toBe(stays);
  });

  it('R39: who renews a token by $auth is judged by the new one', async () => {
    const user = anybody();
    await users().revoke(user, { by: 'tests' });
    const { client } = await connectAgain(user);
    for (const token of [String(issued.long_ago()), 'none']) {
      const { error } = await client.request('$auth', { token });
      expect(error).toMatchObject({ code: 'unauthenticated' });
    }
    expect((await client.request('$auth', { token: String(issued.just_now()) })).error).toBeUndefined();
  });

  it.each([0, -3 * HOUR_S, 3 * HOUR_S])(
    'R30, R39: gain nothing by tokens of the future, on nodes whose clock is off by %i s',
    async (offS) => {
      const wall = jest.spyOn(Date, 'now').mockImplementation(() => Math.floor(trueTime()) + offS * 1_000);
      try {
        const user = anybody();
        const ahead = (): number => trueTime() + random.pick([3_500, 59_000, 65_000, 3_600_000, 1e12]);
        // Nobody is refused for the clock of the issuer alone, and nobody stays for it.
        const here = await Promise.all(Array.from({ length: 4 }, () => connect(user, { issuedAt: ahead() })));
        const renewed = await connect(user, { issuedAt: issued.long_ago() });
        const { error } = await renewed.client.request('$auth', { token: String(ahead()) });
        expect(error).toBeUndefined();
        await users().revoke(user, { by: 'tests' });
        for (const { client } of [...here, renewed]) expect((await client.closed).code).toBe(4501);
        for (const [aheadMs, status] of [
          [30_000, 503],
          [70_000, 401],
          [3_600_000, 401],
        ] as const)
          expect(await refused(connect(user, { issuedAt: trueTime() + aheadMs }))).toBe(status);
        const { client } = await connectAgain(user);
        const later = await client.request('$auth', { token: String(ahead()) });
        expect(later.error).toBeDefined();
        await client.request('$ping', {});
        await client.close();
      } finally {
        wall.mockRestore();
      }
    },
  );

  it('leave the room at once, and have the ends of their sessions told once', async () => {
    const user = anybody();
    const [here, away] = [
      await connect(user, { issuedAt: issued.long_ago() }),
      await connect(user, { issuedAt: issued.long_ago() }),
    ];
    const watching = await connect('witness', { issuedAt: issued.just_now() });
    await watching.client.join(ROOM);
    await here.client.join(ROOM);
    await away.client.close();
    const presence = cluster.nodes[0]!.get(Presence).of(ROOM);
    const present = async (): Promise<string[]> => (await presence.list()).users.map((one) => one.user);
    await eventually(async () => expect(await present()).toContain(user));
    await users().revoke(user, { by: 'tests' });
    await eventually(async () => expect(await present()).not.toContain(user));
    const ids = [here.hello.session, away.hello.session].sort();
    const told = (): string[] => expired.flatMap((one) => (one.user === user ? one.id : [])).sort();
    await eventually(() => expect(told()).toEqual(ids), { withinMs: 15_000 });
    await watching.client.close();
  });

  it('end for good in the SDK, which says why, or come back', async () => {
    const user = `sdk${++names}`;
    const client = new WssClient(`${cluster.nodes[0]!.url}?user=${user}`, { WebSocket: WithIssued });
    const again: string[] = [];
    client.onStatus(({ state }) => void again.push(state));
    await eventually(() => expect(client.status.state).toBe('open'));
    await users().disconnect(user);
    await eventually(() => expect(again).toContain('waiting'));
    await eventually(() => expect(client.status.state).toBe('open'));
    await users().revoke(user, { by: 'tests' });
    await eventually(() => expect(client.status).toMatchObject({ state: 'closed' }));
    const { error } = client.status as { error?: WssError };
    expect(error).toMatchObject({ code: 'refused', message: 'closed: 4501 revoked' });
  });

  it('may end themselves from a handler, and the log says who did it in one line', async () => {
    const user = anybody();
    const { client } = await connect(user, { issuedAt: issued.long_ago() });
    await client.join(ROOM);
    client.send({ event: 'note.revoke-me', room: ROOM, data: {} });
    expect((await client.closed).code).toBe(4501);
    await eventually(() =>
      expect(lines.filter((line) => line.includes(JSON.stringify(user)))).toHaveLength(1),
    );
    await users().revoke(user, { by: 'x "y"\u2028', reason: `${'r'.repeat(300)}\n[Nest] fake` });
    const last = lines.at(-1)!;
    expect(last).not.toMatch(/[\n\u2028]/);
    expect(last.length).toBeLessThan(900);
  });

  it('are disconnected and may come back, in their sessions', async () => {
    const user = anybody();
    const all = await Promise.all(Array.from({ length: 4 }, () => connect(user)));
    await users().disconnect(user);
    for (const { client } of all) expect((await client.closed).code).toBe(4402);
    const again = await connect(user, { token: all[0]!.hello.token });
    expect(again.hello.resumed).toBe(true);
    await users().disconnect(user, { by: 'tests' });
    expect((await again.client.closed).code).toBe(4402);
  });

  it('R38: are removed from rooms anywhere, by name or session, and come back to none', async () => {
    for (let round = 0; round < 12; round++) {
      const [user, room] = [anybody(), `note:${++names}`];
      const [here, away, witness] = await Promise.all(
        [user, user, 'witness'].map(async (name) => {
          const { client, hello } = await connect(name);
          const { epoch, seq } = await client.join<{ epoch: string; seq: number }>(room);
          return { client, hello, from: { epoch, seq } };
        }),
      );
      await away!.client.terminate();
      const target = cluster.nodes[random.below(3)]!.get(Rooms).to(room);
      const isByName = random.below(2) === 0;
      if (isByName) await target.remove(user, { reason: 'rude' });
      else
        for (const { hello } of [here!, away!])
          await target.remove({ session: hello.session }, { reason: 'rude' });
      const isOut = async (client: TestClient, position: object) => {
        const { error } = await client.request('$join', position, { room });
        expect({ seed, round, error }).toMatchObject({ seed, round, error: { code: 'forbidden' } });
      };
      expect(await here!.client.event('$removed')).toMatchObject({ room, data: { reason: 'rude' } });
      await isOut(here!.client, here!.from);
      const again = await connect(user, { token: away!.hello.token });
      expect(again.hello.resumed).toBe(true);
      await isOut(again.client, away!.from);
      expect((await witness!.client.event('$changed')).room).toBe(room);
      for (const { client } of [here!, again, witness!]) await client.close();
    }
  });

  it('have single sessions ended for good', async () => {
    const user = anybody();
    const [ends, stays] = [await connect(user), await connect(user)];
    const sessions = cluster.nodes[random.below(3)]!.get(Sessions);
    await sessions.revoke(ends.hello.session, { by: 'tests' });
    expect((await ends.client.closed).code).toBe(4501);
    const again = await connect(user, { token: ends.hello.token });
    expect(again.hello.resumed).toBe(false);
    await stays.client.request('$ping', {});
    const told = (): string[] => expired.flatMap((one) => (one.user === user ? one.id : []));
    await eventually(() => expect(told()).toEqual([ends.hello.session]), { withinMs: 15_000 });
    await sessions.revoke('unknown-session', { by: 'tests' });
  });

  it.each([
    ['a user without a name', () => users().revoke('', { by: 'tests' })],
    ['a user that is none', () => users().revoke({} as never, { by: 'tests' })],
    ['nobody who asks', () => users().revoke('ann', {} as never)],
    ['nothing', () => users().revoke('ann', undefined as never)],
    ['an empty name', () => users().disconnect('')],
    ['a session that is none', () => cluster.nodes[0]!.get(Sessions).revoke('a b', { by: 'tests' })],
  ])('are not put out by %s', async (_what, call) => {
    const error = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ code: 'invalid' });
  });

  if (engine !== 'Redis Cluster')
    it('R7: stay out after a failover that loses what was written of them', async () => {
      const user = anybody();
      let hello!: Greeting;
      let client!: TestClient;
      await cluster.loseTail(async () => {
        ({ client, hello } = await connect(user, { issuedAt: issued.long_ago() }));
        const revoking = users(0).revoke(user, { by: 'tests' });
        expect((await client.closed).code).toBe(4501);
        await revoking.catch((error: GatewayError) => expect(error).toMatchObject({ applied: true }));
      });
      await eventually(async () => {
        expect(await refused(connect(user, { issuedAt: issued.long_ago() }))).toBe(401);
      });
      const again = await connectAgain(user, hello.token);
      expect(again.hello).toMatchObject({ resumed: false });
    });
});

describe('names that nobody proves', () => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [NotesModule], nodes: 2, engine: 'redis' });
  });
  afterAll(() => cluster?.stop());

  it.each([-3 * HOUR_S, 3 * HOUR_S])(
    "R30, R39: are dated by Redis' clock, on nodes whose clock is off by %i s",
    async (offS) => {
      const wall = jest.spyOn(Date, 'now').mockImplementation(() => Math.floor(trueTime()) + offS * 1_000);
      try {
        const user = `user ${offS}`;
        const client = await cluster.connect(user);
        expect((await client.request('$auth', { token: 'any' })).error).toBeUndefined();
        await cluster.nodes[1]!.get(Users).revoke(user, { by: 'tests' });
        expect((await client.closed).code).toBe(4501);
        await expect(cluster.connect(user)).rejects.toMatchObject({ status: 401 });
        const again = await eventually(() => cluster.connect(user));
        await again.request('$ping', {});
      } finally {
        wall.mockRestore();
      }
    },
  );
});

const SECRET = 'a secret of more than 32 characters';

describe('signed tokens of users who were revoked', () => {
  let cluster: FeatureCluster;
  const lines: string[] = [];
  let users = 0;

  beforeAll(async () => {
    const options = { auth: { jwt: { secret: SECRET } }, maxTokenAgeMs: 24 * HOUR_S * 1_000 };
    cluster = await FeatureCluster.start({
      features: [NotesModule],
      nodes: 2,
      engine: 'redis',
      options,
      logger: keptIn(lines),
    });
  });
  afterAll(() => cluster?.stop());

  const nowS = Math.floor(performance.timeOrigin / 1_000 + performance.now() / 1_000);
  const tokenOf = (user: string, iat?: number): Promise<string> => {
    const claims = { sub: user, exp: nowS + 12 * HOUR_S, ...(iat !== undefined && { iat }) };
    return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
  };
  const connect = async (token: string): Promise<TestClient> => {
    const headers = { authorization: `Bearer ${token}` };
    return cluster.connect('', { headers, protocols: ['wss.v1'] });
  };
  const statusOf = (token: string): Promise<number> =>
    connect(token).then(
      async (client) => {
        await client.close();
        return 101;
      },
      (error: UpgradeRefused) => error.status,
    );
  const trueSeconds = (): number => Math.ceil((performance.timeOrigin + performance.now()) / 1_000);

  it.each([0, -3 * HOUR_S, 3 * HOUR_S])(
    "R30, R39: are judged by Redis' clock, on nodes whose clock is off by %i s",
    async (offS) => {
      const wall = jest.spyOn(Date, 'now');
      wall.mockImplementation(() => Math.floor(performance.timeOrigin + performance.now()) + offS * 1_000);
      try {
        const user = `user-${++users}`;
        const client = await connect(await tokenOf(user, trueSeconds() - 60));
        await cluster.nodes[0]!.get(Users).revoke(user, { by: 'tests' });
        expect((await client.closed).code).toBe(4501);
        const at = trueSeconds();
        for (const iat of [at - 60, at - 1, at, undefined])
          expect(await statusOf(await tokenOf(user, iat))).toBe(401);
        const next = await eventually(async () => connect(await tokenOf(user, trueSeconds() + 1)));
        const { error } = await next.request('$auth', { token: await tokenOf(user, at - 60) });
        expect(error).toMatchObject({ code: 'unauthenticated' });
        const renewed = await next.request('$auth', { token: await tokenOf(user, trueSeconds() + 1) });
        expect(renewed.error).toBeUndefined();
      } finally {
        wall.mockRestore();
      }
    },
  );

  it('R39: are refused when they are older than a revocation is kept, with a reason', async () => {
    expect(await statusOf(await tokenOf('old', nowS - 25 * HOUR_S))).toBe(401);
    expect(await statusOf(await tokenOf('young', nowS - 23 * HOUR_S))).toBe(101);
    expect(await statusOf(await tokenOf('ageless'))).toBe(101);
    expect(lines.filter((line) => line.includes('maxTokenAgeMs'))).toHaveLength(1);
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { type Command, CurrentCommand, RoomDocument, RoomType } from '@wss/core';
import { Rooms, Sessions, Users } from '@wss/nest';
import { InjectState, StateModule, type StateRepository } from '@wss/state';
import {
  clusterOnServers,
  eventually,
  type FeatureCluster,
  SentinelServers,
  type TestClient,
} from '@wss/testing';
import { IsInt, Min } from 'class-validator';

class Addition {
  @IsInt()
  by!: number;
}

@RoomDocument('vault')
class Vault {
  @IsInt()
  @Min(0)
  value = 0;
}

@RoomDocument('jar')
class Jar {
  @IsInt()
  @Min(0)
  value = 0;
}

@Injectable()
@RoomType('vault', { durable: true })
class VaultHandlers {
  constructor(@InjectState(Vault) private readonly vaults: StateRepository<Vault>) {}

  @SubscribeMessage('vault.add')
  add(@MessageBody() { by }: Addition, @CurrentCommand() command: Command): Promise<{ value: number }> {
    return this.vaults.update(command, (vault) => ({ value: (vault.value += by) }));
  }
}

@Injectable()
@RoomType('jar', {})
class JarHandlers {
  constructor(@InjectState(Jar) private readonly jars: StateRepository<Jar>) {}

  @SubscribeMessage('jar.add')
  add(@MessageBody() { by }: Addition, @CurrentCommand() command: Command): Promise<{ value: number }> {
    return this.jars.update(command, (jar) => ({ value: (jar.value += by) }));
  }
}

@Module({ imports: [StateModule.forFeature([Vault, Jar])], providers: [VaultHandlers, JarHandlers] })
class DurableModule {}

let servers: SentinelServers;
let cluster: FeatureCluster;
beforeAll(async () => {
  servers = await SentinelServers.start({ replicas: 1 });
  cluster = await clusterOnServers(servers, { features: [DurableModule], nodes: 2, durableReplicas: 1 });
});
afterAll(() => cluster?.stop());

const allServe = (): Promise<void> =>
  eventually(() => expect(cluster.nodes.flatMap((node) => node.problems())).toEqual([]), {
    withinMs: 30_000,
  });

async function member(node: number, ...rooms: string[]): Promise<TestClient> {
  const client = await cluster.connect('ann', { node, protocols: ['wss.v1'] });
  await client.event('$hello');
  for (const room of rooms) await client.join(room);
  return client;
}

it('R19: a durable reply survives the death of the master, an ordinary one may not', async () => {
  const vault = `vault:${randomUUID()}`;
  const jar = `jar:${randomUUID()}`;
  const client = await member(0, vault, jar);
  const add = (room: string, n: number) =>
    client.request<{ value: number }>(
      `${room.split(':')[0]}.add`,
      { by: 1 },
      { room, n, ack: n - 1, withinMs: 20_000 },
    );
  for (let n = 1; n <= 20; n++) {
    expect(await add(vault, n)).toMatchObject({ data: { value: n } });
    expect(await add(jar, n)).toMatchObject({ data: { value: n } });
  }

  const former = await servers.master();
  const replica = servers.servers.find((server) => server !== former)!;
  await replica.pause();
  // Without this, commits already in its connection would still reach it.
  await former.cli('CLIENT', 'KILL', 'TYPE', 'replica');
  for (let n = 21; n <= 40; n++) expect(await add(jar, n)).toMatchObject({ data: { value: n } });
  const unproven = await add(vault, 21);
  expect(unproven.error).toMatchObject({ code: 'unknown_outcome', retry: true, applied: true });
  await former.kill();
  replica.resume();
  await servers.promoted(former);
  await allServe();

  const witness = await member(1, vault, jar);
  const { documents: kept } = await witness.join<Documents>(vault, { state: true });
  const { documents: left } = await witness.join<Documents>(jar, { state: true });
  expect(kept['vault']!.value.value).toBeGreaterThanOrEqual(20);
  expect(left['jar']!.value.value).toBeLessThan(40);
});

interface Documents {
  readonly documents: Record<string, { readonly value: { readonly value: number } }>;
}

it('R19: a reply that could not be proven durable is proven when the same number comes again', async () => {
  const vault = `vault:${randomUUID()}`;
  for (const server of servers.servers) if (server !== (await servers.master())) await server.restart();
  await servers.inStep();
  await allServe();
  const client = await member(0, vault);
  const add = (n: number) =>
    client.request<{ value: number }>(
      'vault.add',
      { by: 1 },
      { room: vault, n, ack: n - 1, withinMs: 20_000 },
    );
  expect(await eventually(() => add(1))).toMatchObject({ data: { value: 1 } });
  const master = await servers.master();
  const replica = servers.servers.find((server) => server !== master)!;
  await replica.pause();
  expect((await add(2)).error).toMatchObject({ code: 'unknown_outcome', retry: true });
  replica.resume();
  const proven = await eventually(
    async () => {
      const reply = await add(2);
      expect(reply.error).toBeUndefined();
      return reply;
    },
    { withinMs: 20_000 },
  );
  expect(proven).toMatchObject({ data: { value: 2 }, dup: true });
});

it('R39: who was revoked or removed stays so when the master dies, proven or not', async () => {
  await servers.inStep();
  await allServe();
  const users = cluster.nodes[0]!.get(Users);
  const sessions = cluster.nodes[1]!.get(Sessions);
  const greeted = async (user: string, token?: string): Promise<Hello> => {
    const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
    return (await (await cluster.connect(user, { protocols })).event('$hello')).data as Hello;
  };
  const before = await Promise.all(['proven', 'lost', 'session'].map((user) => greeted(user)));
  await users.revoke('proven', { by: 'tests' });
  const jar = `jar:${randomUUID()}`;
  const members = await Promise.all(
    ['proven', 'lost', 'lost, away'].map(async (text) => {
      const client = await cluster.connect(`member ${text}`, { session: true });
      const { epoch, seq } = await client.join<{ epoch: string; seq: number }>(jar);
      return { client, from: { epoch, seq } };
    }),
  );
  await members[2]!.client.terminate();
  await cluster.nodes[0]!.get(Rooms).to(jar).remove('member proven');

  const former = await servers.master();
  const replica = servers.servers.find((server) => server !== former)!;
  await replica.pause();
  await former.cli('CLIENT', 'KILL', 'TYPE', 'replica');
  const late = await greeted('lost with its session');
  const unproven = { code: 'unknown_outcome', applied: true };
  for (const user of ['lost', 'lost with its session'])
    await expect(users.revoke(user, { by: 'tests' })).rejects.toMatchObject(unproven);
  for (const [index, user] of ['member lost', 'member lost, away'].entries())
    await expect(cluster.nodes[index]!.get(Rooms).to(jar).remove(user)).rejects.toMatchObject(unproven);
  await expect(sessions.revoke(before[2]!.session, { by: 'tests' })).rejects.toMatchObject(unproven);
  await former.kill();
  replica.resume();
  await servers.promoted(former);
  await allServe();
  for (const { user, token } of [...before, late])
    await eventually(async () => expect(await greeted(user, token)).toMatchObject({ resumed: false }), {
      withinMs: 20_000,
    });
  for (const [index, { client, from }] of members.entries()) {
    await cluster.reconnect(client, index % 2);
    const codeOf = async (event: string, data: object) =>
      (await client.request(event, data, { room: jar })).error?.code;
    await eventually(async () => expect(await codeOf('jar.add', { by: 1 })).toBe('forbidden'), {
      withinMs: 20_000,
    });
    expect(await codeOf('$join', from)).toBe('forbidden');
  }
});

interface Hello {
  readonly session: string;
  readonly token: string;
  readonly user: string;
  readonly resumed: boolean;
}

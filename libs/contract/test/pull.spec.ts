import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TemporaryFolder } from '@wss/testing';
import { toAsyncApi } from '../src/async-api.js';
import type { AppContract } from '../src/contract.js';
import { pullContract } from '../src/pull/pull-contract.js';

const TOKEN = 'the token of the management port';
const contractOf = (maximum: number): AppContract => ({
  commands: [{ event: 'poll.vote', data: { type: 'object', properties: { by: { type: 'integer', maximum } } } }],
  events: [],
  rooms: [],
  schemas: {},
});

const servers: Server[] = [];
let folder: TemporaryFolder | undefined;
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  folder?.remove();
  folder = undefined;
});

/** A server that answers some paths; with a token, only to those who send it. */
async function serve(paths: Readonly<Record<string, unknown>>, token?: string): Promise<string> {
  const server = createServer(({ url, headers }, response) => {
    if (token !== undefined && headers.authorization !== `Bearer ${token}`) response.statusCode = 401;
    else if (!Object.hasOwn(paths, url!)) response.statusCode = 404;
    response.end(response.statusCode === 200 ? JSON.stringify(paths[url!]) : 'no');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const document = (maximum = 9): object => toAsyncApi(contractOf(maximum), { title: 't', version: '1' });
const file = (name: string): string => join((folder ??= new TemporaryFolder('pull')).path, name);
const pull = (url: string, name = 'types.ts', more: { token?: string; check?: boolean } = {}): Promise<unknown> =>
  pullContract({ url, out: file(name), check: false, ...more });

describe('pulling a contract', () => {
  it.each(['', '/', '/contract', '/asyncapi.json', '/live', '/live?user=ann'])(
    'writes the types and the document, asked at "%s"',
    async (path) => {
      const url = await serve({ '/asyncapi.json': document() });
      expect(await pull(`${url}${path}`)).toMatchObject({ ok: true });
      expect(readFileSync(file('types.ts'), 'utf8')).toContain("readonly 'poll.vote': { readonly data: { readonly by?: number; }");
      expect(JSON.parse(readFileSync(file('types.json'), 'utf8'))).toEqual(document());
      expect(await pull(url.replace('http', 'ws'), 'types.ts', { check: true })).toMatchObject({ ok: true });
    },
  );

  it('sends the token where one is asked for', async () => {
    const url = await serve({ '/asyncapi.json': document() }, TOKEN);
    await expect(pull(url)).rejects.toThrow(/asks for a token \(401\).*--token-file/);
    await expect(pull(url, 'types.ts', { token: 'x' })).rejects.toThrow('refuses the token (401)');
    expect(await pull(url, 'only.json', { token: TOKEN })).toEqual({ ok: true, text: `wrote ${file('only.json')}` });
  });

  it('tells in a check what breaks, and what only differs', async () => {
    const url = await serve({ '/asyncapi.json': document(9) });
    expect(await pull(url, 'types.ts', { check: true })).toEqual({
      ok: false,
      text: expect.stringMatching(/there is no .*types\.ts and .*types\.json yet/) as unknown,
    });
    await pull(url);
    const stored = (maximum: number): void =>
      writeFileSync(file('types.json'), JSON.stringify(document(maximum)));
    stored(8);
    expect(await pull(url, 'types.ts', { check: true })).toMatchObject({
      ok: false,
      text: expect.stringContaining('is not what the node has, which breaks nobody: pull again') as unknown,
    });
    stored(10);
    const broken = 'poll.vote, client to server, data field "by": maximum: 10 became 9';
    expect(await pull(url, 'types.ts', { check: true })).toMatchObject({
      ok: false,
      text: expect.stringContaining(broken) as unknown,
    });
    expect(await pull(url)).toMatchObject({ ok: true, text: expect.stringContaining(broken) as unknown });
  });

  it('never shows a token that can not be sent', async () => {
    const pulled = pull('http://127.0.0.1:1', 'types.ts', { token: 'first line\nsecond line' });
    await expect(pulled).rejects.toThrow(/^the token has characters that can not be sent/);
    await expect(pulled).rejects.not.toThrow('second');
  });

  it('reads no endless answer', async () => {
    const server = createServer((_request, response) => {
      const chunk = Buffer.alloc(1 << 20, ' ');
      const more = (): void => void (response.destroyed || response.write(chunk, more));
      more();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await expect(pull(`http://127.0.0.1:${port}`)).rejects.toThrow('more than any contract has');
  });

  it('says what is wrong', async () => {
    const url = await serve({ '/asyncapi.json': { asyncapi: '3.0.0', channels: { connection: {} } }, '/x.json': [] });
    await expect(pull(url)).rejects.toThrow('is not the contract of a wss node');
    await expect(pull(`${url}/x.json`)).rejects.toThrow('is not the contract of a wss node');
    await expect(pull(`${url}/y.json`)).rejects.toThrow(/has no contract \(404\).*management port/);
    await expect(pull('localhost')).rejects.toThrow('is not the URL of a node');
    await expect(pull('http://127.0.0.1:1')).rejects.toThrow(/can't be reached: (ECONNREFUSED|bad port|fetch failed)/);
    const other = await serve({ '/asyncapi.json': document() });
    writeFileSync(file('taken'), '');
    await expect(pull(other, 'taken/types.ts')).rejects.toThrow(/can't be written: (ENOTDIR|EEXIST).*--out/);
    writeFileSync(file('types.json'), '{}');
    await expect(pull(other)).rejects.toThrow('types.json is not a contract');
  });

  it('writes no code that a name has in it', async () => {
    const evil = "a'\n } }; export const x = (() => { throw 1 })(); type Y = { '";
    const contract = { ...contractOf(1), events: [{ event: evil, data: { type: 'null' }, volatile: false }] };
    const url = await serve({ '/asyncapi.json': toAsyncApi(contract, { title: 't', version: '1' }) });
    await pull(url);
    expect(readFileSync(file('types.ts'), 'utf8')).not.toMatch(/^ \} \}; export/m);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Parser } from '@asyncapi/parser';
import type { INestApplication } from '@nestjs/common';
import {
  type AsyncApiDocument,
  checkContract,
  ContractExplorer,
  readContract,
  toAsyncApi,
  writeContract,
} from '@wss/nest/contract';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../load-config.js';
import { createNode } from '../process/node-app.js';
import { CONTRACT_INFO } from './contract-info.js';

const committed = fileURLToPath(new URL('../../../../contract', import.meta.url));
let app: INestApplication;
let explorer: ContractExplorer;
let folder: string | undefined;

beforeAll(async () => {
  const config = loadConfig({ AUTH: 'none' });
  app = await createNode(AppModule.with(config, 'spec'));
  await app.listen(0, '127.0.0.1');
  explorer = app.get(ContractExplorer, { strict: false });
});
afterAll(() => app?.close());
afterEach(() => {
  if (folder) rmSync(folder, { recursive: true });
  folder = undefined;
});

const served = async (path: string): Promise<{ type: string | null; body: string }> => {
  const response = await fetch(new URL(path, await app.getUrl()));
  expect(response.status).toBe(200);
  return { type: response.headers.get('content-type'), body: await response.text() };
};
const temporary = (): string => (folder = mkdtempSync(join(tmpdir(), 'wss-contract-')));

describe('the document', () => {
  it('is right to the parser of AsyncAPI', async () => {
    const { body } = await served('/asyncapi.json');
    const { document, diagnostics } = await new Parser().parse(body);
    expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
    expect(document?.version()).toBe('3.0.0');
    expect(document?.operations().length).toBeGreaterThan(8);
  });

  it('says the same when it is read again', () => {
    const contract = explorer.contract();
    const document = toAsyncApi(contract, { title: 't', version: '1' });
    expect(readContract(JSON.parse(JSON.stringify(document)) as AsyncApiDocument)).toEqual(contract);
  });

  it('has every event of the demo features, with rules', () => {
    const { commands, rooms, schemas } = explorer.contract();
    const chat = rooms.find(({ type }) => type === 'chat')!;
    expect(commands.map(({ event }) => event)).toEqual(['echo.say']);
    expect(rooms.flatMap((room) => room.commands.map(({ event }) => event))).toEqual([
      'board.add-card',
      'board.move-card',
      'board.remove-card',
      'chat.send',
      'chat.typing',
      'counter.add',
      'counter.read',
    ]);
    expect(chat.events.map(({ event, volatile }) => [event, volatile])).toEqual([
      ['chat.sent', false],
      ['chat.typing', true],
    ]);
    expect(schemas.Add).toEqual({
      type: 'object',
      properties: { by: { type: 'integer', minimum: -1_000, maximum: 1_000 } },
      required: ['by'],
    });
    expect(schemas.Board).toMatchObject({ properties: { cards: { type: 'array', maxItems: 500 } } });
    expect(explorer.unknownReplies()).toEqual([]);
  });
});

describe('the page', () => {
  it('needs nothing from elsewhere and names every event', async () => {
    const { type, body } = await served('/contract');
    expect(type).toContain('text/html');
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
    for (const name of ['echo.say', 'board.card-moved', 'chat.typing', 'counter.read', 'maxLength 2000']) {
      expect(body).toContain(name);
    }
  });
});

describe('the files', () => {
  it('are committed as the code has them', () => {
    // Comments come with the build; `npm run contract -- --check` compares them as well.
    const plain = (text: string): unknown =>
      JSON.parse(text, (key, value: unknown) => (key === 'description' ? undefined : value));
    const present = JSON.stringify(toAsyncApi(explorer.contract(), CONTRACT_INFO));
    expect(plain(present)).toEqual(plain(readFileSync(join(committed, 'asyncapi.json'), 'utf8')));
  });

  it('are written where there were none', () => {
    const target = temporary();
    expect(writeContract(explorer, target, { acceptBreaking: false }).ok).toBe(true);
    expect(checkContract(explorer, target).ok).toBe(true);
  });

  /** Writes the contract, and then changes it so that it differs from the code. */
  const commitOther = (change: (text: string) => string): string => {
    const target = temporary();
    writeContract(explorer, target, { acceptBreaking: false });
    const path = join(target, 'asyncapi.json');
    const text = readFileSync(path, 'utf8');
    const other = change(text);
    expect(other).not.toBe(text);
    writeFileSync(path, other);
    return target;
  };

  it('must be written again after a change that breaks nobody', () => {
    const target = commitOther((text) => text.replace('"maximum": 1000', '"maximum": 999'));
    expect(checkContract(explorer, target)).toEqual({
      ok: false,
      text: expect.stringContaining('run "npm run contract" and commit the result') as unknown,
    });
    writeContract(explorer, target, { acceptBreaking: false });
    expect(checkContract(explorer, target).ok).toBe(true);
  });

  it('are not replaced when callers would break, unless that is accepted', () => {
    const target = commitOther((text) => text.replace('"maximum": 1000', '"maximum": 2000'));
    const refused = {
      ok: false,
      text: expect.stringContaining(
        'counter.add in counter:<key>, client to server, data field "by": maximum: 2000 became 1000',
      ) as unknown,
    };
    expect(checkContract(explorer, target)).toEqual(refused);
    expect(writeContract(explorer, target, { acceptBreaking: false })).toEqual(refused);
    expect(writeContract(explorer, target, { acceptBreaking: true }).ok).toBe(true);
    expect(checkContract(explorer, target).ok).toBe(true);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  InjectState,
  RoomDocument,
  RoomType,
  type StateRepository,
  WssModule,
} from '@wss/nest';
import { eventually, FeatureCluster, TemporaryFolder } from '@wss/testing';
import { IsArray, IsString } from 'class-validator';
import { type BuildOptions, build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const [, example] = /```tsx\n(.*?)```/s.exec(readFileSync(join(root, 'docs/client.md'), 'utf8'))!;
const TIMEOUT_MS = 120_000;
const PATIENT = { withinMs: 10_000 };
const NAVIGATIONS = 20;

class Card {
  @IsString() title!: string;
}
class Added {
  @IsString() title!: string;
}

@RoomDocument('board')
class Board {
  @IsArray() cards: { id: string; title: string }[] = [];
}

@Injectable()
@RoomType('board', { presence: true, events: { 'board.card-added': Added } })
class BoardHandlers {
  constructor(@InjectState(Board) private readonly boards: StateRepository<Board>) {}

  @SubscribeMessage('board.add-card')
  add(@MessageBody() { title }: Card, @CurrentCommand() command: Command): Promise<object> {
    return this.boards.update(command, (board, room) => {
      board.cards.push({ id: String(board.cards.length), title });
      room.append(Added, { title });
      return {};
    });
  }
}

@Module({ imports: [WssModule.forFeature([Board])], providers: [BoardHandlers] })
class BoardModule {}

/** Bundles a program that imports the example of docs/client.md, which connects to this URL, an expression. */
async function bundled(url: string, program: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, loader: 'tsx', resolveDir: root },
    bundle: true,
    write: false,
    charset: 'utf8',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: {
      '@wss/client': join(root, 'libs/client/src/index.ts'),
      '@wss/protocol': join(root, 'libs/protocol/src/index.ts'),
    },
    plugins: [
      {
        name: 'example',
        setup({ onLoad, onResolve }) {
          onResolve({ filter: /^example$/ }, () => ({ path: 'example', namespace: 'example' }));
          onLoad({ filter: /./, namespace: 'example' }, () => ({
            contents: example!.replace("'wss://example.org/'", () => url),
            loader: 'tsx',
            resolveDir: root,
          }));
        },
      },
    ],
    ...options,
  });
  return outputFiles![0]!.text;
}

/** One page that shows the boards of its list; an empty list is a page without any. */
const PAGE = `
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Board, Connected } from 'example';
function Page() {
  const [ids, go] = useState(['0']);
  window.go = go;
  return <Connected>{ids.map((id, place) => <section key={place}><h1>{id}</h1><Board id={id} /></section>)}</Connected>;
}
createRoot(document.getElementById('root')).render(<StrictMode><Page /></StrictMode>);`;

const ON_A_SERVER = `
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { Board, Connected } from 'example';
globalThis.WebSocket = class { constructor() { console.log('connects'); } };
console.log(renderToString(<StrictMode><Connected><Board id="1" /></Connected></StrictMode>));`;

function chromiumPath(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file));
  if (path === undefined) throw new Error('there is no chromium: on Debian "sudo apt-get install chromium"');
  return path;
}

describe('the example in React', () => {
  let browser: Browser;
  let cluster: FeatureCluster;
  let page: Page;
  const problems: string[] = [];
  const sent: string[] = [];
  const count = (event: string): number => sent.filter((each) => each === event).length;
  beforeAll(async () => {
    const script = await bundled('`ws://${location.host}/?user=ann`', PAGE, { format: 'iife' });
    const html = `<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script>${script.replaceAll('</', '<\\/')}</script>`;
    cluster = await FeatureCluster.start({
      features: [BoardModule],
      nodes: 1,
      setUp: (app) => {
        const http = app.getHttpAdapter();
        http.get('/react', (_request: unknown, response: unknown) => {
          http.setHeader(response, 'Content-Type', 'text/html; charset=utf-8');
          http.reply(response, html);
        });
      },
    });
    browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
    page = await browser.newPage();
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('console', (line) => {
      if (line.type() === 'error') problems.push(line.text());
    });
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => {
        sent.push((JSON.parse(String(payload)) as { event: string }).event);
      });
    });
    await page.goto(`${cluster.nodes[0]!.httpUrl}react`);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  }, TIMEOUT_MS);

  const go = (...ids: string[]): Promise<void> =>
    page.evaluate((boards) => (globalThis as unknown as { go(ids: string[]): void }).go(boards), ids);
  const text = (): Promise<string | null> =>
    page.evaluate(() => {
      const { document } = globalThis as unknown as {
        document: { getElementById(id: string): { textContent: string } };
      };
      return document.getElementById('root').textContent;
    });
  const shows = (what: string): Promise<void> =>
    eventually(
      async () => expect({ text: await text(), problems }).toEqual({ text: what, problems: [] }),
      PATIENT,
    );

  it(
    'leaves the rooms that are not shown any more, and shows each its own board',
    async () => {
      const titles = Array.from({ length: NAVIGATIONS + 1 }, (_, index) => `card ${index}`);
      const bob = await Promise.all(titles.map((_, index) => cluster.join('bob', `board:${index}`)));
      await Promise.all(titles.map((title, index) => bob[index]!.command('board.add-card', { title })));
      await shows('0card 0');
      for (let at = 1; at <= NAVIGATIONS; at++) {
        if (at % 5 === 0) {
          await go();
          await shows('');
        }
        await go(String(at));
        await shows(`${at}card ${at}`);
      }
      const joined = count('$join');
      expect(joined).toBeGreaterThan(NAVIGATIONS);
      await eventually(() => expect(count('$leave')).toBe(count('$join') - 1), PATIENT);
      await bob[NAVIGATIONS]!.command('board.add-card', { title: ', more' });
      await bob[1]!.command('board.add-card', { title: 'unseen' });
      await shows(`${NAVIGATIONS}card ${NAVIGATIONS}, more`);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'leaves a room that two components show when both are gone',
    async () => {
      await go('1', '1');
      await shows('1card 1unseen1card 1unseen');
      await go('1');
      const carl = await cluster.join('carl', 'board:1');
      await carl.command('board.add-card', { title: ' both' });
      await shows('1card 1unseen both');
      await go();
      await eventually(() => expect(count('$leave')).toBe(count('$join')), PATIENT);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

it(
  'the example in React is rendered on a server, which never connects',
  async () => {
    const folder = new TemporaryFolder('react');
    try {
      const file = join(folder.path, 'server.cjs');
      writeFileSync(
        file,
        await bundled("'ws://127.0.0.1:1/'", ON_A_SERVER, { format: 'cjs', platform: 'node' }),
      );
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file]);
      expect({ stdout, stderr }).toEqual({ stdout: '<p>Loading …</p>\n', stderr: '' });
    } finally {
      folder.remove();
    }
  },
  TIMEOUT_MS,
);

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { eventually, GatewayCluster, type ServerFrame, TcpProxy, TestClient } from '@wss/testing';
import { type Browser, chromium, type Page } from 'playwright-core';

const WITHIN = { withinMs: 30_000 };
const TIMEOUT_MS = 120_000;
/** How long a tab is frozen, ms; browsers freeze hidden tabs for 30,000. */
const FREEZE_MS = Number(process.env['DEMO_FREEZE_MS'] ?? 2_000);
const PHONE = { width: 375, height: 740 };
const DESKTOP = { width: 1_280, height: 860 };

function chromiumPath(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file));
  if (path === undefined) throw new Error('there is no chromium: on Debian "sudo apt-get install chromium"');
  return path;
}

describe('the demo page in two windows on two nodes', () => {
  let browser: Browser;
  let cluster: GatewayCluster;
  let balancer: TcpProxy;
  let room: string;
  const pages: Page[] = [];
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
  }, TIMEOUT_MS);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    cluster = await GatewayCluster.start({ nodes: 2 });
    balancer = await TcpProxy.start({ to: cluster.nodes[0]!.port });
    room = randomUUID();
  }, TIMEOUT_MS);
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    await balancer?.stop();
    await cluster?.stop();
    problems.length = 0;
  }, TIMEOUT_MS);

  async function open(user: string, port: number, viewport = DESKTOP): Promise<Page> {
    const context = await browser.newContext({ viewport, reducedMotion: 'reduce' });
    const page = await context.newPage();
    pages.push(page);
    const origin = `127.0.0.1:${port}`;
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'data:' && url.host !== origin) problems.push(`loads from ${url.host}`);
    });
    await page.goto(`http://${origin}/?room=${room}&user=${user}`);
    await eventually(async () => expect(await page.textContent('#status')).toContain('live'), WITHIN);
    return page;
  }
  const add = async (page: Page, title: string): Promise<void> => {
    await page.fill('#card-title', title);
    await page.press('#card-title', 'Enter');
  };
  const board = (page: Page): Promise<string[]> => page.locator('.card:not(.waiting) p').allTextContents();
  const bothShow = (titles: string[]): Promise<void> =>
    eventually(
      async () => expect(await Promise.all(pages.map(board))).toEqual(pages.map(() => titles)),
      WITHIN,
    );
  const centre = async (page: Page, index: number): Promise<[number, number]> => {
    const { x, y, width } = (await page.locator('.card').nth(index).boundingBox())!;
    return [x + width / 2, y + 20];
  };

  it(
    'shows one chat, one counter and one board in both',
    async () => {
      const ann = await open('ann', cluster.nodes[0]!.port);
      const bob = await open('bob', cluster.nodes[1]!.port, PHONE);
      const faces = (page: Page): Promise<string[]> =>
        page.locator('#members li').evaluateAll((items) => items.map((item) => item.getAttribute('title')!));
      await eventually(async () => expect(await faces(ann)).toEqual(['ann', 'bob']), WITHIN);
      await eventually(async () => expect(await faces(bob)).toEqual(['bob', 'ann']), WITHIN);
      await ann.fill('#text', 'hello <b>bob</b>');
      await ann.press('#text', 'Enter');
      await eventually(
        async () => expect(await bob.textContent('.bubble')).toMatch(/^hello <b>bob<\/b>ann · /),
        WITHIN,
      );
      for (const id of ['#up', '#down', '#up']) await Promise.all([ann.click(id), bob.click('#up')]);
      await eventually(async () => {
        for (const page of pages) expect(await page.textContent('#counter:not(.waiting)')).toBe('4');
      }, WITHIN);
      for (const title of ['one', 'two', 'three']) await add(ann, title);
      await bothShow(['one', 'two', 'three']);
      await bob.click('[aria-label="Move three earlier"]');
      await bothShow(['one', 'three', 'two']);
      await ann.locator('.card').first().press('ArrowRight');
      await bothShow(['three', 'one', 'two']);
      await bob.click('[aria-label="Remove one"]');
      await bothShow(['three', 'two']);
      const cleo = await open('cleo', cluster.nodes[1]!.port);
      expect(await cleo.textContent('.bubble')).toContain('hello');
      expect(await bob.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'finds its WebSocket where the node has it',
    async () => {
      const { port } = await cluster.addNode({ WS_PATH: '/live/socket' });
      const ann = await open('ann', port);
      await add(ann, 'one');
      await bothShow(['one']);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'moves a card once when its node is killed while the card is being moved',
    async () => {
      const ann = await open('ann', balancer.port);
      await open('bob', cluster.nodes[1]!.port);
      const witness = await TestClient.connect(cluster.nodes[1]!.url, { user: 'cleo' });
      await witness.join(`board:${room}`);
      for (const title of ['one', 'two', 'three']) await add(ann, title);
      await bothShow(['one', 'two', 'three']);

      await ann.mouse.move(...(await centre(ann, 2)));
      await ann.mouse.down();
      await ann.mouse.move(...(await centre(ann, 0)), { steps: 3 });
      expect(await ann.locator('.card p').allTextContents()).toEqual(['three', 'one', 'two']);
      balancer.target = cluster.nodes[1]!.port;
      await cluster.nodes[0]!.kill();
      await ann.mouse.up();
      await ann.click('#up');

      await bothShow(['three', 'one', 'two']);
      await eventually(async () => expect(await ann.textContent('#status')).toContain('live'), WITHIN);
      await add(ann, 'four');
      await bothShow(['three', 'one', 'two', 'four']);
      const isLast = ({ event, data }: ServerFrame): boolean =>
        event === 'board.card-added' && (data as { title: string }).title === 'four';
      const seen = (await witness.until(isLast)).map(({ event }) => event);
      expect(seen.filter((event) => event !== 'board.card-added')).toEqual(['board.card-moved']);
      await eventually(async () => {
        for (const page of pages) expect(await page.textContent('#counter:not(.waiting)')).toBe('1');
      }, WITHIN);
      expect(problems).toEqual([]);
      await witness.close();
    },
    TIMEOUT_MS,
  );

  it(
    'goes on through another network, a frozen tab and a killed node',
    async () => {
      const ann = await open('ann', balancer.port);
      const bob = await open('bob', cluster.nodes[1]!.port);
      const isLive = (): Promise<void> =>
        eventually(async () => expect(await ann.textContent('#status')).toContain('live'), WITHIN);
      const titles: string[] = [];
      const bothAdd = async (what: string): Promise<void> => {
        for (const [page, who] of [
          [ann, 'ann'],
          [bob, 'bob'],
        ] as const) {
          await add(page, `${what} ${who}`);
          titles.push(`${what} ${who}`);
        }
        await ann.click('#up');
      };
      const shown = (): Promise<void> =>
        eventually(async () => {
          for (const page of pages) expect((await board(page)).toSorted()).toEqual(titles.toSorted());
        }, WITHIN);

      await ann.context().setOffline(true);
      balancer.cutNow();
      await eventually(async () => expect(await ann.textContent('#status')).not.toContain('live'), WITHIN);
      await bothAdd('offline');
      await ann.context().setOffline(false);
      await isLive();
      await shown();

      const tab = await ann.context().newCDPSession(ann);
      await tab.send('Page.setWebLifecycleState', { state: 'frozen' });
      await add(bob, 'frozen');
      titles.push('frozen');
      await new Promise((resolve) => setTimeout(resolve, FREEZE_MS));
      await tab.send('Page.setWebLifecycleState', { state: 'active' });
      await shown();
      await isLive();

      balancer.target = cluster.nodes[1]!.port;
      await cluster.nodes[0]!.kill();
      await bothAdd('killed');
      await isLive();
      await shown();
      await eventually(async () => {
        for (const page of pages) expect(await page.textContent('#counter:not(.waiting)')).toBe('2');
      }, WITHIN);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS + FREEZE_MS,
  );
});

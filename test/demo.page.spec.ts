import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import {
  eventually,
  freePort,
  GatewayCluster,
  GatewayNode,
  newSeed,
  Random,
  type ServerFrame,
  TcpProxy,
  TestClient,
} from '@wss/testing';
import { type Browser, type BrowserContextOptions, chromium, type Frame, type Page } from 'playwright-core';

const WITHIN = { withinMs: 30_000 };
const TIMEOUT_MS = 120_000;
/** How long a tab is frozen, ms; browsers freeze hidden tabs for 30,000. */
const FREEZE_MS = Number(process.env['DEMO_FREEZE_MS'] ?? 2_000);
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1_280, height: 800 };
const SECRET = 'a secret of more than 32 characters';
const NODES = 3;

let browser: Browser;
let cluster: GatewayCluster;
let room: string;
const pages: Page[] = [];
const proxies: TcpProxy[] = [];
const alone: GatewayNode[] = [];
const problems: string[] = [];

beforeAll(async () => {
  [browser, cluster] = await Promise.all([
    chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] }),
    GatewayCluster.start({ nodes: NODES, env: { PRESENCE_GRACE_MS: '500' } }),
  ]);
  cluster.nodes.forEach(track);
}, TIMEOUT_MS);
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
}, TIMEOUT_MS);
afterEach(async () => {
  const contexts = new Set(pages.splice(0).map((page) => page.context()));
  await Promise.all([...contexts].map((context) => context.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  await Promise.all(alone.splice(0).map((node) => node.stop()));
  problems.length = 0;
}, TIMEOUT_MS);

function chromiumPath(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file));
  if (path === undefined) throw new Error('there is no chromium: on Debian "sudo apt-get install chromium"');
  return path;
}

const ended = new WeakSet<GatewayNode>();

function track(node: GatewayNode): GatewayNode {
  void node.exited.then(() => ended.add(node));
  return node;
}

const addNode = async (env?: NodeJS.ProcessEnv): Promise<GatewayNode> => track(await cluster.addNode(env));

/** The nodes that run, after those that were killed have been replaced. */
async function fullCluster(): Promise<GatewayNode[]> {
  const nodes = cluster.nodes.filter((node) => !ended.has(node));
  while (nodes.length < NODES) nodes.push(await addNode());
  return nodes;
}

/** An address that may lead to another node later. */
async function frontOf(node: GatewayNode): Promise<TcpProxy> {
  const proxy = await TcpProxy.start({ to: node.port });
  proxies.push(proxy);
  return proxy;
}

/** The browser itself reports a connection that did not come about. */
const NETWORK = /WebSocket connection to|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/;

function watch(page: Page, origin: string): void {
  pages.push(page);
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !NETWORK.test(message.text())) problems.push(message.text());
  });
  page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.host !== origin) problems.push(`loads from ${url.host}`);
  });
}

interface PageOptions extends BrowserContextOptions {
  readonly user?: string;
  readonly port: number;
  readonly query?: string;
}

async function open({ user, port, query = '', ...options }: PageOptions): Promise<Page> {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const origin = `127.0.0.1:${port}`;
  watch(page, origin);
  const name = user === undefined ? '' : `&user=${encodeURIComponent(user)}`;
  await page.goto(`http://${origin}/?room=${room}${name}${query}`);
  return page;
}
const isLive = (page: Page | Frame): Promise<void> =>
  eventually(async () => expect(await page.textContent('#status-text')).toBe('live'), WITHIN);
async function openLive(options: PageOptions): Promise<Page> {
  const page = await open(options);
  await isLive(page);
  return page;
}
const shows = (page: Page | Frame, selector: string, text: string | RegExp): Promise<void> =>
  eventually(async () => expect(await page.textContent(selector)).toMatch(text), WITHIN);
const add = async (page: Page | Frame, title: string): Promise<void> => {
  await page.fill('#card-title', title);
  await page.press('#card-title', 'Enter');
};
const say = async (page: Page | Frame, text: string): Promise<void> => {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
};
const board = (page: Page | Frame): Promise<string[]> =>
  page.locator('.card:not(.waiting) p').allTextContents();
const messages = (page: Page | Frame): Promise<string[]> =>
  page.locator('.message:not(.waiting) .bubble p').allTextContents();
const faces = (page: Page | Frame): Promise<string[]> =>
  page.locator('#members li').evaluateAll((items) => items.map((item) => item.dataset['user']!));
const allShow = (titles: string[]): Promise<void> =>
  eventually(
    async () => expect(await Promise.all(pages.map(board))).toEqual(pages.map(() => titles)),
    WITHIN,
  );
const allCount = (value: string): Promise<void> =>
  eventually(async () => {
    for (const page of pages) {
      const counter = await page
        .locator('#counter')
        .evaluate((output) => [output.textContent, output.className]);
      expect(counter).toEqual([value, '']);
    }
  }, WITHIN);
const nodeOf = (page: Page | Frame): Promise<string | null> => page.textContent('.node.mine code');
/** Cuts a page off its node, as a lost network does. */
async function goOffline(page: Page, front: TcpProxy): Promise<void> {
  await page.context().setOffline(true);
  front.cutNow();
  await shows(page, '#status-text', /offline|reconnecting|connecting/);
}

describe('the demo page in two windows on two nodes', () => {
  const centre = async (page: Page, index: number): Promise<[number, number]> => {
    const { x, y, width } = (await page.locator('.card').nth(index).boundingBox())!;
    return [x + width / 2, y + 20];
  };

  it(
    'shows one chat, one counter and one board in both',
    async () => {
      room = randomUUID();
      const nodes = await fullCluster();
      const ann = await openLive({ user: 'ann', port: nodes[0]!.port });
      const bob = await openLive({ user: 'bob', port: nodes[1]!.port, viewport: PHONE });
      await eventually(async () => expect(await faces(ann)).toEqual(['ann', 'bob']), WITHIN);
      await eventually(async () => expect(await faces(bob)).toEqual(['bob', 'ann']), WITHIN);
      await say(ann, 'hello <b>bob</b>');
      await shows(bob, '.bubble', /^hello <b>bob<\/b>ann · /);
      for (const id of ['#up', '#down', '#up']) await Promise.all([ann.click(id), bob.click('#up')]);
      await allCount('4');
      for (const title of ['one', 'two', 'three']) await add(ann, title);
      await allShow(['one', 'two', 'three']);
      await bob.click('[aria-label="Move three earlier"]');
      await allShow(['one', 'three', 'two']);
      await ann.locator('.card').first().press('ArrowRight');
      await allShow(['three', 'one', 'two']);
      await bob.click('[aria-label="Remove one"]');
      await allShow(['three', 'two']);
      const cleo = await openLive({ user: 'cleo', port: nodes[1]!.port });
      await shows(cleo, '.bubble', 'hello');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  /** Sends a command from the page of the contract, and searches there. */
  async function tryOnContractPage(page: Page, port: number): Promise<void> {
    await page.goto(`http://127.0.0.1:${port}/contract`);
    const form = page.locator('form[data-event="board.add-card"]');
    await form.locator('.key').fill(room);
    await form.locator('textarea').fill('{"title":"<b>two</b>"}');
    await form.locator('button').click();
    await eventually(
      async () => expect(await form.locator('output.good').textContent()).toContain('card'),
      WITHIN,
    );
    const frames = page.locator('#frames li');
    await eventually(
      async () => expect((await frames.allTextContents()).join()).toMatch(/"board\.card-added".*<b>two<\/b>/),
      WITHIN,
    );
    const leave = page.locator('form[data-event="$leave"]');
    await leave.locator('.key').fill(`board:${room}`);
    await leave.locator('button').click();
    await page.fill('#user', 'ben');
    await form.locator('button').click();
    await eventually(
      async () => expect((await frames.allTextContents()).join()).toMatch(/"board\.card-added"[^]*"seq":3/),
      WITHIN,
    );
    await form.locator('textarea').fill('{"title":"three"}');
    await leave.locator('button').click();
    await form.locator('button').click();
    await eventually(
      async () => expect((await frames.allTextContents()).join()).toMatch(/"seq":4[^]*"three"/),
      WITHIN,
    );
    await page.fill('#search', 'board.move-card command');
    expect(await page.locator('.item:visible h3').allTextContents()).toEqual(['board.move-card']);
  }

  it(
    'finds its WebSocket, and the nodes, where the node has them; so does the page of the contract',
    async () => {
      room = randomUUID();
      const node = await addNode({ WS_PATH: '/live/socket' });
      const ann = await openLive({ user: 'ann', port: node.port });
      await add(ann, 'one');
      await allShow(['one']);
      await shows(ann, '#where', `You are on node ${node.nodeId}`);
      await tryOnContractPage(ann, node.port);
      await node.stop();
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'moves a card once when its node is killed while the card is being moved',
    async () => {
      room = randomUUID();
      const nodes = await fullCluster();
      const front = await frontOf(nodes[0]!);
      const ann = await openLive({ user: 'ann', port: front.port });
      await openLive({ user: 'bob', port: nodes[1]!.port });
      const witness = await TestClient.connect(nodes[1]!.url, { user: 'cleo' });
      await witness.join(`board:${room}`);
      for (const title of ['one', 'two', 'three']) await add(ann, title);
      await allShow(['one', 'two', 'three']);

      await ann.mouse.move(...(await centre(ann, 2)));
      await ann.mouse.down();
      await ann.mouse.move(...(await centre(ann, 0)), { steps: 3 });
      expect(await ann.locator('.card p').allTextContents()).toEqual(['three', 'one', 'two']);
      front.target = nodes[1]!.port;
      await nodes[0]!.kill();
      await ann.mouse.up();
      await ann.click('#up');

      await allShow(['three', 'one', 'two']);
      await isLive(ann);
      await add(ann, 'four');
      await allShow(['three', 'one', 'two', 'four']);
      const isLast = ({ event, data }: ServerFrame): boolean =>
        event === 'board.card-added' && (data as { title: string }).title === 'four';
      const seen = (await witness.until(isLast)).map(({ event }) => event);
      expect(seen.filter((event) => event !== 'board.card-added')).toEqual(['board.card-moved']);
      await allCount('1');
      expect(problems).toEqual([]);
      await witness.close();
    },
    TIMEOUT_MS,
  );

  it(
    'goes on through another network, a frozen tab and the death of its node',
    async () => {
      room = randomUUID();
      const nodes = await fullCluster();
      const front = await frontOf(nodes[0]!);
      const ann = await openLive({ user: 'ann', port: front.port });
      const bob = await openLive({ user: 'bob', port: nodes[1]!.port });
      const titles: string[] = [];
      const bothAdd = async (what: string): Promise<void> => {
        for (const page of [ann, bob]) {
          titles.push(`${what} ${titles.length}`);
          await add(page, titles.at(-1)!);
        }
        await ann.click('#up');
      };
      const shown = (): Promise<void> =>
        eventually(async () => {
          for (const page of pages) expect((await board(page)).toSorted()).toEqual(titles.toSorted());
        }, WITHIN);

      await goOffline(ann, front);
      await bothAdd('offline');
      await ann.context().setOffline(false);
      await isLive(ann);
      await shown();

      const tab = await ann.context().newCDPSession(ann);
      await tab.send('Page.setWebLifecycleState', { state: 'frozen' });
      await add(bob, 'frozen');
      titles.push('frozen');
      await new Promise((resolve) => setTimeout(resolve, FREEZE_MS));
      await tab.send('Page.setWebLifecycleState', { state: 'active' });
      await shown();
      await isLive(ann);

      await eventually(async () => expect(await nodeOf(ann)).toBe(nodes[0]!.nodeId), WITHIN);
      front.target = nodes[1]!.port;
      await ann.click('#kill');
      expect(await nodes[0]!.exited).toEqual({ code: null, signal: 'SIGKILL' });
      await bothAdd('killed');
      await shows(ann, '#where', /^Moved from node \S+ to \S+ in [\d.]+ s: same session, nothing lost\.$/);
      await isLive(ann);
      await shown();
      await allCount('2');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS + FREEZE_MS,
  );
});

describe('the nodes on the page', () => {
  const nodesOn = (page: Page, selector = '.node code'): Promise<string[]> =>
    page.locator(selector).allTextContents();
  const isCluster = (page: Page, nodes: readonly GatewayNode[]): Promise<void> =>
    eventually(async () => {
      const ids = nodes.map(({ nodeId }) => nodeId).toSorted();
      expect((await nodesOn(page, '.node:not(.silent) code')).toSorted()).toEqual(ids);
    }, WITHIN);

  it(
    'come and go before the eyes of the user, with the processes that the terminal names',
    async () => {
      room = randomUUID();
      const nodes = await fullCluster();
      const ann = await openLive({ user: 'ann', port: nodes[0]!.port });
      await isCluster(ann, nodes);
      const { nodeId, pid } = nodes[0]!;
      await shows(ann, '#where', `You are on node ${nodeId} (process ${pid}), one of ${nodes.length}.`);
      expect(await nodesOn(ann, '.node.mine code')).toEqual([nodeId]);
      const fourth = await addNode();
      await isCluster(ann, [...nodes, fourth]);
      await fourth.kill();
      await shows(ann, '.node.silent', fourth.nodeId);
      await isCluster(ann, nodes);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'show what is behind them: session, epochs, last events and what waits',
    async () => {
      room = randomUUID();
      const [node] = await fullCluster();
      const front = await frontOf(node!);
      const ann = await openLive({ user: 'ann', port: front.port });
      const witness = await TestClient.connect(node!.url, { user: 'cleo' });
      const { epoch } = (await witness.join(`board:${room}`)) as { epoch: string };
      for (const title of ['one', 'two']) await add(ann, title);
      await allShow(['one', 'two']);
      await ann.click('#show-details');
      const row = `#positions tr:has-text("board:${room}")`;
      await shows(ann, row, `board:${room}live${epoch}20`);
      await shows(ann, '#connection', 'Session resumedno, it is new');
      await goOffline(ann, front);
      await add(ann, 'three');
      await shows(ann, row, /catching up \(reconnect\).*21$/);
      await ann.context().setOffline(false);
      await shows(ann, row, `board:${room}live${epoch}30`);
      await shows(ann, '#connection', 'Session resumedyes');
      await witness.close();
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'stand side by side for two users, each on a connection of its own',
    async () => {
      room = randomUUID();
      const [node] = await fullCluster();
      const page = await open({ port: node!.port, query: '&split' });
      const half = async (user: string): Promise<Frame> => {
        const find = (): Frame | undefined =>
          page.frames().find((frame) => frame.url().includes(`user=${user}`));
        await eventually(() => expect(find()).toBeDefined(), WITHIN);
        const frame = find()!;
        await isLive(frame);
        return frame;
      };
      const [ann, ben] = [await half('ann'), await half('ben')];
      await eventually(async () => expect(await faces(ann)).toEqual(['ann', 'ben']), WITHIN);
      await say(ann, 'side by side');
      await shows(ben, '.message:not(.mine) .bubble p', 'side by side');
      await shows(ben, '#where', node!.nodeId);
      expect(await sideways(page)).toBe(0);
      await page.setViewportSize(PHONE);
      for (const frame of [ann, ben]) expect(await sideways(frame)).toBe(0);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('the user of the page', () => {
  it(
    'stays through a reload, is another one in another tab, and may be renamed',
    async () => {
      room = randomUUID();
      const [node] = await fullCluster();
      const first = await openLive({ port: node!.port });
      const name = (page: Page): Promise<string> => page.inputValue('#name');
      const guest = await name(first);
      expect(guest).toMatch(/^[a-z]+-[a-z]+$/);
      await first.reload();
      await isLive(first);
      expect(await name(first)).toBe(guest);
      await eventually(async () => expect(await faces(first)).toEqual([guest]), WITHIN);
      const [second] = await Promise.all([first.context().waitForEvent('page'), first.click('#second')]);
      watch(second, new URL(first.url()).host);
      await isLive(second);
      const other = await name(second);
      expect(other).not.toBe(guest);
      await eventually(async () => expect(await faces(first)).toEqual([guest, other]), WITHIN);
      for (const wish of ['Zoë 🦊 <b>', 'ann']) {
        await second.fill('#name', wish);
        await second.press('#name', 'Enter');
        await eventually(async () => expect(await faces(second)).toEqual([wish, guest]), WITHIN);
        await second.reload();
        await isLive(second);
        expect(await name(second)).toBe(wish);
      }
      await first.goto(`${new URL(first.url()).origin}/?room=${room}&user=ann`);
      await isLive(first);
      await eventually(async () => expect(await faces(second)).toEqual(['ann']), WITHIN);
      expect(first.url()).not.toContain('ann');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'sees everything that waits while offline, and gets back what is refused',
    async () => {
      room = randomUUID();
      const [node, other] = await fullCluster();
      const front = await frontOf(node!);
      const ann = await openLive({ user: 'ann', port: front.port });
      const ben = await openLive({ user: 'ben', port: other!.port });
      for (const title of ['one', 'two', 'three', 'four']) await add(ann, title);
      await allShow(['one', 'two', 'three', 'four']);
      await goOffline(ann, front);
      await add(ann, 'five');
      await ann.click('[aria-label="Move two earlier"]');
      await ann.click('[aria-label="Remove three"]');
      for (const id of ['#up', '#up', '#down']) await ann.click(id);
      await say(ann, 'from the tunnel');
      await ann.locator('#text').evaluate((field: HTMLInputElement) => (field.value = 'x'.repeat(2_001)));
      await ann.press('#text', 'Enter');
      const cards = await ann
        .locator('.card')
        .evaluateAll((items) =>
          items.map((item) => [...item.querySelectorAll('p, .badge')].map((part) => part.textContent)),
        );
      expect(cards).toEqual([
        ['two', 'waits to move'],
        ['one', ''],
        ['three', 'waits to be removed'],
        ['four', ''],
        ['five', 'waits to be added'],
      ]);
      expect(await ann.textContent('#counter.waiting')).toBe('1');
      expect(await ann.textContent('#counter-waiting')).toBe('3 steps waiting');
      expect(await ann.locator('.message.waiting').count()).toBe(2);
      await shows(ann, '#where', /8 changes wait to be sent\.$/);

      await ben.click('[aria-label="Remove two"]');
      await eventually(async () => expect(await board(ben)).toEqual(['one', 'three', 'four']), WITHIN);
      await ann.context().setOffline(false);
      await allShow(['one', 'four', 'five']);
      await allCount('1');
      await shows(ann, '#notices', '“two” did not move: somebody else has removed it.');
      await shows(ann, '#notices', /was not taken: .*2000/);
      expect(await ann.inputValue('#text')).toBe('x'.repeat(2_001));
      for (const page of pages) {
        await eventually(async () => expect(await messages(page)).toEqual(['from the tunnel']), WITHIN);
        expect(await page.locator('.waiting').count()).toBe(0);
      }
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('the page of a node on its own', () => {
  async function start(env: NodeJS.ProcessEnv = {}): Promise<GatewayNode> {
    const node = await GatewayNode.start({ env });
    alone.push(node);
    return node;
  }

  it(
    'does not let the user kill it, is back by itself after a restart, and shows that its rooms were reset',
    async () => {
      room = randomUUID();
      const SERVER_PORT = String(await freePort());
      const node = await start({ SERVER_PORT });
      const ann = await openLive({ user: 'ann', port: node.port });
      await shows(ann, '#where', `You are on node ${node.nodeId} (process ${node.pid}), the only one.`);
      expect(await ann.isDisabled('#kill')).toBe(true);
      expect(await ann.textContent('#why')).toContain('npm run cluster');
      await add(ann, 'one');
      await say(ann, 'hello');
      await ann.click('#up');
      await eventually(async () => expect(await ann.locator('.waiting').count()).toBe(0), WITHIN);
      await node.kill();
      await shows(ann, '#where', /^(The connection was lost|No node answers yet)\./);
      await add(ann, 'two');
      const next = await start({ SERVER_PORT });
      await shows(ann, '#where', `Moved from node ${node.nodeId} to ${next.nodeId}`);
      for (const pane of ['board', 'counter', 'chat'])
        await shows(ann, `#${pane}-reset:not([hidden])`, /^This room was reset: /);
      await allShow(['two']);
      await allCount('0');
      expect(await messages(ann)).toEqual([]);
      await ann.click('#board-reset button');
      expect(await ann.isHidden('#board-reset')).toBe(true);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'says under JWT why it is refused and how to get in, and then goes on with what waits',
    async () => {
      room = randomUUID();
      const env = { AUTH: 'jwt', JWT_SECRET: SECRET };
      const node = await start({ ...env, DEMO: '1' });
      const ann = await open({ port: node.port, query: '&access_token=nonsense' });
      await shows(ann, '#refusal', /^The server says: the token was refused/);
      await shows(ann, '#where', 'Waiting for a token.');
      expect(ann.url()).not.toContain('nonsense');
      await add(ann, 'written outside');
      await ann.click('#sign-in summary');
      const command = await ann.innerText('#token-command');
      const shell = promisify(execFile);
      const { stdout } = await shell('sh', ['-c', command], { env: { ...process.env, ...env } });
      await ann.fill('#token', stdout.trim());
      await ann.press('#token', 'Enter');
      await isLive(ann);
      await allShow(['written outside']);
      expect(await ann.inputValue('#name')).toBe('ann');
      expect(await ann.isHidden('#sign-in')).toBe(true);
      await ann.reload();
      await isLive(ann);
      await allShow(['written outside']);
      expect(await ann.isHidden('#cluster')).toBe(true);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** How much wider a page is than its window, px. */
function sideways(page: Page | Frame): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Texts that stand out too little from what is behind them (WCAG AA: 4.5 to 1). */
function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const pen = canvas.getContext('2d', { willReadFrequently: true })!;
    const channels = (color: string): number[] => {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = color;
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const backOf = (element: Element): number[] => {
      const color = channels(getComputedStyle(element).backgroundColor);
      return color[3] === 255 || !element.parentElement ? color : backOf(element.parentElement);
    };
    const light = (color: number[]): number => {
      const [red, green, blue] = color.map((value) => {
        const part = value / 255;
        return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
    };
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement!;
      const isSeen =
        element.checkVisibility({ visibilityProperty: true }) && !element.closest('.unseen, :disabled');
      if (!node.textContent!.trim() || !isSeen) continue;
      const [front, back] = [light(channels(getComputedStyle(element).color)), light(backOf(element))];
      const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      if (ratio < 4.5) found.push(`${node.textContent!.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
    }
    return found;
  });
}

/** Controls without a name for those who do not see them. */
function namelessControls(page: Page): Promise<string[]> {
  return page.locator('button, input, a[href], iframe').evaluateAll((controls) =>
    controls
      .filter((control) => {
        const labels = (control as HTMLInputElement).labels;
        return !(
          control.ariaLabel ||
          (control as HTMLElement).title ||
          control.textContent!.trim() ||
          labels?.length
        );
      })
      .map(({ outerHTML }) => outerHTML),
  );
}

describe('the looks of the page', () => {
  const LONG = ['x'.repeat(200), `${'wide '.repeat(39)}load`, '﷽'.repeat(150), '👩‍👩‍👧‍👦'.repeat(25)];

  it.each(['light', 'dark'] as const)(
    'fit the window, whatever is written, in %s',
    async (colorScheme) => {
      room = randomUUID();
      const [node] = await fullCluster();
      const front = await frontOf(node!);
      const user = `${'Very-'.repeat(25)}big`;
      const ann = await openLive({ user, port: front.port, colorScheme });
      for (const title of LONG) await add(ann, title);
      await say(ann, `${'text '.repeat(300)}${'x'.repeat(500)}`);
      const clients: TestClient[] = [];
      for (let guest = 0; guest < 8; guest++) {
        clients.push(await TestClient.connect(node!.url, { user: `guest-10000${guest}` }));
        await clients.at(-1)!.join(`chat:${room}`);
      }
      await eventually(async () => expect(await faces(ann)).toHaveLength(7), WITHIN);
      const signs = await ann.locator('#members .avatar').allTextContents();
      expect(new Set(signs).size).toBe(7);
      await ann.click('#show-details');
      for (const viewport of [DESKTOP, PHONE]) {
        await ann.setViewportSize(viewport);
        expect(await sideways(ann)).toBe(0);
        const heights = await ann
          .locator('.card')
          .evaluateAll((cards) => cards.map((card) => card.clientHeight));
        expect(Math.max(...heights)).toBeLessThan(180);
      }
      await ann.setViewportSize(DESKTOP);
      const { y, height } = (await ann.locator('footer').boundingBox())!;
      expect(y + height).toBeLessThanOrEqual(DESKTOP.height);
      expect(await faintTexts(ann)).toEqual([]);
      expect(await namelessControls(ann)).toEqual([]);
      await goOffline(ann, front);
      await add(ann, 'waits');
      await shows(ann, '.card.waiting .badge', 'waits to be added');
      expect(await faintTexts(ann)).toEqual([]);
      const moving = await ann.evaluate(
        () =>
          document.getAnimations().filter(({ effect, playState }) => {
            return playState === 'running' && Number(effect!.getComputedTiming().duration) > 1;
          }).length,
      );
      expect(moving).toBe(0);
      await Promise.all(clients.map((client) => client.close()));
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** Names and texts of a person who means no good. */
const ODD_TEXTS = [
  '<img src=x onerror="throw 1">',
  '</p><script>throw 2</script>',
  '{{constructor}} ${1} %s &amp; &lt;',
  'שלום עולם ‮reversed‬',
  'مرحبا',
  '👩‍👩‍👧‍👦 🇺🇳 é',
  '   spaces   ',
  '__proto__',
  'null',
  "Robert'); DROP TABLE--",
  'z͑ͫ̓ͪ̂ͫ̽a̷l̵g̶o̸',
];
const STEPS = Number(process.env['DEMO_STEPS'] ?? 90);
const MOST_KILLS = 3;

/** Three users who click, type, go offline, reload and kill nodes at random. */
class Users {
  private serial = 0;
  private kills = 0;
  /** Texts and titles that must be there in the end; a page that is loaded anew may take those that wait with it. */
  readonly said = new Set<string>();
  private readonly offline = new Set<Page>();
  readonly log: string[] = [];

  constructor(
    private readonly random: Random,
    private readonly fronts: ReadonlyMap<Page, TcpProxy>,
  ) {}

  async step(): Promise<void> {
    const page = this.random.pick([...this.fronts.keys()]);
    const acts = [this.say, this.say, this.add, this.add, this.move, this.remove, this.count, this.count];
    const act = this.random.pick([
      ...acts,
      this.toggle,
      this.toggle,
      this.cut,
      this.reload,
      this.rename,
      this.kill,
    ]);
    this.log.push(`${[...this.fronts.keys()].indexOf(page)} ${act.name}`);
    await act.call(this, page);
  }

  async end(): Promise<void> {
    for (const page of this.offline) await page.context().setOffline(false);
    this.offline.clear();
  }

  private text(most: number): string {
    const odd = this.random.below(8) === 0 ? 'long '.repeat(400) : this.random.pick(ODD_TEXTS);
    return `${this.serial++} ${odd}`.slice(0, most).trim();
  }

  private async say(page: Page): Promise<void> {
    const text = this.text(2_000);
    this.said.add(text);
    await say(page, text);
  }

  private async add(page: Page): Promise<void> {
    await add(page, this.text(200));
  }

  private async count(page: Page): Promise<void> {
    await page.click(this.random.pick(['#up', '#down']));
  }

  /** A card may be gone by the time of the click. */
  private async press(page: Page, index: number): Promise<void> {
    const cards = page.locator('.card:not(.fixed)');
    const at = this.random.below(Math.max(1, await cards.count()));
    await cards
      .nth(at)
      .locator('button')
      .nth(index)
      .click({ timeout: 1_000 })
      .catch(() => undefined);
  }

  private move(page: Page): Promise<void> {
    return this.press(page, this.random.below(2));
  }

  private remove(page: Page): Promise<void> {
    return this.press(page, 2);
  }

  private async toggle(page: Page): Promise<void> {
    const isOffline = !this.offline.delete(page);
    if (isOffline) this.offline.add(page);
    await page.context().setOffline(isOffline);
    if (isOffline) this.fronts.get(page)!.cutNow();
  }

  private async cut(page: Page): Promise<void> {
    this.fronts.get(page)!.cutNow();
  }

  private async reload(page: Page): Promise<void> {
    if (this.offline.has(page)) return;
    for (const text of await page.locator('.message.waiting .bubble p').allTextContents())
      this.said.delete(text);
    await page.reload();
  }

  private async rename(page: Page): Promise<void> {
    if (this.offline.has(page)) return;
    await page.fill('#name', this.random.pick([...ODD_TEXTS, '😀'.repeat(64), 'n'.repeat(128)]));
    await page.press('#name', 'Enter');
    await page.waitForLoadState();
  }

  private async kill(page: Page): Promise<void> {
    // Without a connection the page knows no node, and hides them.
    if (this.kills === MOST_KILLS || this.offline.has(page) || !(await page.isEnabled('#kill'))) return;
    this.kills++;
    const port = this.fronts.get(page)!.target;
    await page.click('#kill');
    const victim = cluster.nodes.find((node) => node.port === port)!;
    await Promise.race([victim.exited, eventually(() => page.isEnabled('#kill'), WITHIN)]);
    const nodes = await fullCluster();
    for (const front of this.fronts.values()) {
      if (!nodes.some((node) => node.port === front.target)) front.target = this.random.pick(nodes).port;
    }
  }
}

describe('users at random', () => {
  it(
    'see the same in the end, with nothing waiting, doubled, or lost',
    async () => {
      room = randomUUID();
      const seed = newSeed();
      process.stdout.write(`demo page: ${JSON.stringify({ seed, steps: STEPS })}\n`);
      const fronts = new Map<Page, TcpProxy>();
      for (const node of await fullCluster()) {
        const front = await frontOf(node);
        fronts.set(await openLive({ port: front.port }), front);
      }
      const users = new Users(new Random(seed), fronts);
      try {
        for (let step = 0; step < STEPS; step++) await users.step();
        await users.end();
        for (const page of pages) await isLive(page);
        await eventually(async () => {
          for (const page of pages) expect(await page.locator('.waiting').count()).toBe(0);
          const [first, ...others] = await Promise.all(pages.map(seenOn));
          for (const other of others) expect(other).toEqual(first);
          expect(new Set(first!.texts).size).toBe(first!.texts.length);
          expect(new Set(first!.cards).size).toBe(first!.cards.length);
          const newest = [...users.said].slice(-10);
          expect(newest.filter((text) => !first!.texts.includes(text))).toEqual([]);
        }, WITHIN);
        expect(problems).toEqual([]);
      } catch (error) {
        throw new Error(`seed ${seed} after ${users.log.join(', ')}`, { cause: error });
      }
    },
    2 * TIMEOUT_MS,
  );

  /** The part of a page that a page that was loaded anew shows too. */
  async function seenOn(page: Page): Promise<{ texts: string[]; cards: string[]; counter: string | null }> {
    const [texts, cards, counter] = [
      await messages(page),
      await board(page),
      await page.textContent('#counter'),
    ];
    return { texts: texts.slice(-30), cards, counter };
  }
});

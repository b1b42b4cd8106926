import type { DemoNode, DemoNodesView } from '../demo-nodes.view.js';
import { byId, make } from './dom.js';
import { say } from './notices.js';
import type { PageClient } from './page-contract.js';

/** How often the page asks which nodes there are, ms. */
const ASK_EVERY_MS = 1_000;
const ALONE = 'the only one. “npm run cluster” starts three.';

/** The nodes as the page's node sees them, and the button that kills it. */
export class NodeList {
  /** The node that the page is on, or was on last. */
  self?: string;
  /** True from the kill until the page is on a node again. */
  isKilling = false;
  private view?: DemoNodesView;
  /** True if the view came over the present connection. */
  private isFresh = false;

  constructor(
    private readonly client: PageClient,
    private readonly onArrival: () => void,
  ) {
    client.on('demo.nodes', (view) => this.take(view));
    client.on('demo.refused', ({ message }) => this.refused(message));
    client.onHello(() => this.ask());
    client.onStatus(({ state }) => {
      if (state !== 'open') this.isFresh = false;
      this.draw();
    });
    setInterval(() => document.hidden || this.ask(), ASK_EVERY_MS);
    document.addEventListener('visibilitychange', () => this.ask());
    byId('kill').addEventListener('click', () => this.kill());
  }

  /** Where the page is, in words. */
  place(): (Node | string)[] {
    const { view } = this;
    if (!view || !this.isFresh) return ['Connected.'];
    const { pid, host } = view.nodes.find(({ node }) => node === view.node) ?? {};
    // In a container every node is process 1.
    const place = pid === 1 ? ` on ${host}` : ` (process ${pid})`;
    const others = view.nodes.length - 1;
    const all = others === 0 ? ALONE : `one of ${view.nodes.length}.`;
    return ['You are on node ', make('b', '', view.node), `${pid === undefined ? '' : place}, ${all}`];
  }

  /** A node without the demo's events answers nothing. */
  private ask(): void {
    if (this.client.status.state === 'open' && document.documentElement.dataset['auth'] === 'none')
      this.client.send('demo.nodes', {});
  }

  private take(view: DemoNodesView): void {
    const isArrival = !this.isFresh;
    this.view = view;
    this.self = view.node;
    this.isFresh = true;
    if (isArrival) this.isKilling = false;
    this.draw();
    this.onArrival();
  }

  private kill(): void {
    this.isKilling = true;
    this.client.send('demo.kill', { node: this.self });
    this.draw();
  }

  private refused(message: string): void {
    this.isKilling = false;
    say(message, 'bad');
    this.draw();
  }

  private draw(): void {
    const { view } = this;
    byId('cluster').hidden = !view;
    byId('cluster').classList.toggle('old', !this.isFresh);
    if (!view) return;
    byId('nodes').replaceChildren(...view.nodes.map((node) => this.chip(node)));
    const button = byId<HTMLButtonElement>('kill');
    button.hidden = !view.mayKill && view.why === undefined;
    button.disabled = !this.isFresh || this.isKilling || !view.mayKill;
    button.title = view.why ?? 'Ends the process of your node as a crash would. Nothing is lost.';
    byId('why').textContent = view.why ?? '';
  }

  private chip({ node, isSilent, pid, host, upMs }: DemoNode): HTMLElement {
    const isMine = this.isFresh && node === this.view?.node;
    const isDead = isSilent || (!this.isFresh && this.isKilling && node === this.self);
    const state = isDead ? 'silent' : isMine ? 'mine' : 'other';
    const words = { silent: 'gone', mine: 'you', other: '' }[state];
    const chip = make('li', `node ${state}`, make('span', 'dot'), make('code', '', node));
    if (words) chip.append(make('small', '', words));
    chip.title = pid === undefined ? node : `${node}: process ${pid} on ${host}, up ${age(upMs!)}`;
    return chip;
  }
}

function age(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

import type { Status } from '@wss/client';
import { byId, count, setText } from './dom.js';
import { NodeList } from './nodes.js';
import type { PageClient } from './page-contract.js';
import type { Unanswered } from './waiting.js';

/** How long it is said that the page came back, ms. */
const BACK_MS = 8_000;

/** A connection that was lost, until the page is on a node again. */
interface Loss {
  readonly at: number;
  readonly node?: string;
  readonly isKilled: boolean;
}

/** Shows the connection: its state in a word, where it leads, and without one what it waits for. */
export function showStatus(client: PageClient, waiting: Unanswered): void {
  new ConnectionLine(client, waiting);
}

class ConnectionLine {
  private readonly nodes: NodeList;
  private timer?: ReturnType<typeof setInterval>;
  private nextAt = 0;
  private loss?: Loss;
  /** The last return, as long as it is said. */
  private back?: { readonly text: string; readonly isWhole: boolean };
  private isResumed = true;

  constructor(
    private readonly client: PageClient,
    private readonly waiting: Unanswered,
  ) {
    this.nodes = new NodeList(client, () => this.arrived());
    client.onHello(({ resumed }) => (this.isResumed = resumed));
    client.onStatus((status) => this.changed(status));
    client.onDegraded(() => this.show());
    waiting.onChange(() => this.show());
    window.addEventListener('offline', () => this.show());
    window.addEventListener('online', () => this.show());
    this.changed(client.status);
  }

  private changed(status: Status): void {
    if (status.state !== 'open') delete this.back;
    if (status.state === 'waiting') {
      this.nextAt = performance.now() + (status.inMs ?? 0);
      const { self: node, isKilling: isKilled } = this.nodes;
      if (node !== undefined) this.loss ??= { at: performance.now(), node, isKilled };
    }
    clearInterval(this.timer);
    if (status.state === 'waiting') this.timer = setInterval(() => this.showLight(), 250);
    this.show();
  }

  /** The page is on a node, and knows which. */
  private arrived(): void {
    const { loss, nodes } = this;
    delete this.loss;
    if (loss) this.tellReturn(loss, nodes.self!);
    this.show();
  }

  private tellReturn({ at, node }: Loss, now: string): void {
    const seconds = ((performance.now() - at) / 1_000).toFixed(1);
    const way = node === now ? `Back on node ${now}` : `Moved from node ${node} to ${now}`;
    const session = this.isResumed ? 'same session, nothing lost' : 'the server began a new session';
    this.back = { text: `${way} in ${seconds} s: ${session}.`, isWhole: this.isResumed };
    setTimeout(() => {
      delete this.back;
      this.show();
    }, BACK_MS);
  }

  private show(): void {
    this.showLight();
    const { status, degraded } = this.client;
    const isFine = status.state === 'open' && !degraded;
    const line = byId('where');
    line.dataset['state'] = isFine ? (this.back?.isWhole ? 'back' : 'open') : 'lost';
    if (!isFine) setText(line, this.problem(status));
    else if (this.back !== undefined) setText(line, this.back.text);
    else line.replaceChildren(...this.nodes.place());
  }

  private showLight(): void {
    const { status, degraded } = this.client;
    byId('status').dataset['state'] = status.state === 'open' && degraded ? 'waiting' : status.state;
    setText(byId('status-text'), wordOf(status, degraded));
    const leftMs = status.state === 'waiting' && navigator.onLine ? this.nextAt - performance.now() : 0;
    setText(byId('countdown'), leftMs > 900 ? ` in ${Math.ceil(leftMs / 1_000)} s` : '');
  }

  private problem(status: Status): string {
    const { total } = this.waiting;
    const waits = total > 0 && status.state !== 'closed';
    const later = waits ? ` ${count(total, 'change')} ${total === 1 ? 'waits' : 'wait'} to be sent.` : '';
    return reasonOf(status, this.loss) + later;
  }
}

function wordOf(status: Status, degraded: boolean): string {
  switch (status.state) {
    case 'connecting':
      return 'connecting';
    case 'open':
      return degraded ? 'waiting for Redis' : 'live';
    case 'closed':
      return 'not connected';
    case 'waiting':
      return navigator.onLine ? 'reconnecting' : 'offline';
  }
}

/** Reasons of a lost connection by close code. */
const CLOSED: Readonly<Record<number, string>> = {
  1012: 'The node is stopping; another one takes over.',
  1013: 'The node is starting or stopping and takes no clients now.',
  4401: 'The token has expired.',
  4408: 'The connection was too slow.',
  4409: 'The node did not answer any more.',
};

/** Why there is no connection, and what comes next. */
function reasonOf(status: Status, loss: Loss | undefined): string {
  switch (status.state) {
    case 'open':
      return 'The node can’t reach Redis now and goes on as soon as it can.';
    case 'connecting':
      if (!byId('sign-in').hidden) return 'Waiting for a token.';
      return loss ? `${lossText(loss)} Connecting …` : 'Connecting …';
    case 'closed':
      return `The server does not let this page in: ${status.error?.message ?? 'closed'}.`;
    case 'waiting': {
      if (!navigator.onLine) return 'You are offline.';
      const { code = 0, error } = status;
      if (error && error.code !== 'unreachable')
        return `The server refuses for now: ${error.message}. The page tries again.`;
      if (loss?.isKilled) return lossText(loss);
      if (error) return 'No node answers yet.';
      return CLOSED[code] ?? 'The connection was lost.';
    }
  }
}

function lossText({ node, isKilled }: Loss): string {
  return isKilled ? `Node ${node} was killed.` : 'The connection was lost.';
}

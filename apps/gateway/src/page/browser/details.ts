import type { Hello, Room } from '@wss/client';
import { byId, make } from './dom.js';
import type { PageClient } from './page-contract.js';
import type { Unanswered } from './waiting.js';

/** How often open details are looked at again, ms. */
const REFRESH_MS = 250;
/** How often the way to the node is measured, ms. */
const PING_MS = 2_000;

type AnyRoom = Pick<Room, 'name' | 'status' | 'position'>;

/** Shows what is behind the page, for those who want to know: session, positions and what waits. */
export function showDetails(client: PageClient, waiting: Unanswered, rooms: readonly AnyRoom[]): void {
  const panel = byId('details');
  const toggle = byId('show-details');
  let hello: Hello | undefined;
  let trip = '–';
  client.onHello((greeting) => (hello = greeting));
  const measure = (): void => {
    if (client.status.state !== 'open') return void (trip = '–');
    client.ping({ timeoutMs: PING_MS }).then(
      (ms) => (trip = `${ms.toFixed(1)} ms`),
      () => (trip = '–'),
    );
  };
  const show = (): void => {
    byId('connection').replaceChildren(...connectionOf(hello, client, trip));
    byId('positions').replaceChildren(...rooms.map((room) => rowOf(room, waiting.in(room.name))));
  };
  let timers: ReturnType<typeof setInterval>[] = [];
  toggle.addEventListener('click', () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute('aria-expanded', String(!panel.hidden));
    timers.forEach(clearInterval);
    timers = [];
    if (panel.hidden) return;
    measure();
    show();
    timers = [setInterval(show, REFRESH_MS), setInterval(measure, PING_MS)];
  });
}

function connectionOf(hello: Hello | undefined, client: PageClient, trip: string): HTMLElement[] {
  const facts: [string, string][] = [
    ['Status', client.status.state],
    ['User', hello?.user ?? '–'],
    ['Session', hello?.session ?? '–'],
    ['Session resumed', hello ? (hello.resumed ? 'yes' : 'no, it is new') : '–'],
    ['Client', hello?.client ?? '–'],
    ['Round trip', trip],
  ];
  return facts.flatMap(([name, value]) => {
    const data = make('dd', '', value);
    data.title = value;
    return [make('dt', '', name), data];
  });
}

function rowOf({ name, status, position }: AnyRoom, waits: number): HTMLElement {
  const reason = 'reason' in status ? ` (${status.reason})` : '';
  const cells = [
    `${status.state}${reason}`,
    position?.epoch ?? '–',
    position ? String(position.seq) : '–',
    String(waits),
  ];
  const head = make('th', '', name);
  head.setAttribute('scope', 'row');
  return make('tr', '', head, ...cells.map((cell) => make('td', '', cell)));
}

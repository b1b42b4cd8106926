/** Functions that run in the reader's browser: each is sent as its own text, so they use only each other and the page. */

/** The connection of the page, and the answers that it waits for. */
interface Trial {
  readonly path: string;
  readonly waiting: Map<number, HTMLElement>;
  /** The rooms that the page has asked to join, by the ids of the frames that wait for the answer. */
  readonly joining: Map<number, string>;
  readonly joined: Set<string>;
  next: number;
  socket: WebSocket | undefined;
  opened: Promise<WebSocket> | undefined;
}

function startPage(): void {
  searchPage();
  const path = document.body.dataset['socket'];
  if (path === undefined) return;
  const trial: Trial = {
    path,
    waiting: new Map(),
    joining: new Map(),
    joined: new Set(),
    next: 1,
    socket: undefined,
    opened: undefined,
  };
  for (const form of document.querySelectorAll<HTMLFormElement>('form.try')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void tryCommand(trial, form);
    });
  }
  document.getElementById('clear')!.addEventListener('click', () => {
    document.getElementById('frames')!.replaceChildren();
  });
  document.getElementById('user')!.addEventListener('change', () => {
    trial.socket?.close();
    forgetConnection(trial, 'not connected');
  });
}

/** Shows the entries that have all words of the search. */
function searchPage(): void {
  const field = document.getElementById('search') as HTMLInputElement;
  const search = (): void => {
    const words = field.value.toLowerCase().split(/\s+/);
    let found = 0;
    for (const section of document.querySelectorAll<HTMLElement>('main > section')) {
      let shown = 0;
      for (const item of section.querySelectorAll<HTMLElement>('.item')) {
        const text = item.textContent!.toLowerCase();
        item.hidden = !words.every((word) => text.includes(word));
        if (!item.hidden) shown++;
      }
      section.hidden = shown === 0;
      found += shown;
    }
    document.getElementById('none')!.hidden = found > 0;
  };
  field.addEventListener('input', search);
  // A browser may bring a text back.
  search();
}

async function tryCommand(trial: Trial, form: HTMLFormElement): Promise<void> {
  const output = form.querySelector('output')!;
  const { event, room: type } = form.dataset;
  const key = form.querySelector<HTMLInputElement>('.key')?.value;
  try {
    const data: unknown = JSON.parse(form.querySelector('textarea')!.value);
    const room = type === undefined ? key : `${type}:${key ?? ''}`;
    const socket = await connected(trial);
    if (type !== undefined && !trial.joined.has(room!)) {
      trial.joined.add(room!);
      trial.joining.set(trial.next, room!);
      sendFrame(trial, socket, { event: '$join', room, data: { state: true } });
    }
    if (event === '$leave') trial.joined.delete(room!);
    trial.waiting.set(trial.next, output);
    showResult(output, 'waiting for the answer …', '');
    sendFrame(trial, socket, { event, ...(room !== undefined && { room }), data });
  } catch (error) {
    showResult(output, (error as Error).message, 'bad');
  }
}

function sendFrame(trial: Trial, socket: WebSocket, frame: object): void {
  const text = JSON.stringify({ ...frame, id: trial.next++ });
  socket.send(text);
  showFrame('sent', text);
}

/** The connection of the page, or a new one as the user of the field. */
function connected(trial: Trial): Promise<WebSocket> {
  trial.opened ??= connect(trial);
  return trial.opened;
}

function connect(trial: Trial): Promise<WebSocket> {
  const url = new URL(trial.path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const user = (document.getElementById('user') as HTMLInputElement).value.trim();
  if (user !== '') url.searchParams.set('user', user);
  const socket = new WebSocket(url);
  trial.socket = socket;
  showState('waiting', 'connecting');
  socket.addEventListener('message', ({ data }) => {
    if (trial.socket === socket) receiveFrame(trial, String(data));
  });
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => {
      if (trial.socket === socket) showState('open', 'connected');
      resolve(socket);
    });
    socket.addEventListener('close', ({ code }) => {
      reject(new Error('the node can’t be reached'));
      // Another user may have taken its place.
      if (trial.socket === socket) forgetConnection(trial, `closed (${code})`);
    });
  });
}

function forgetConnection(trial: Trial, text: string): void {
  showState('closed', text);
  for (const output of trial.waiting.values()) showResult(output, 'the connection was closed', 'bad');
  trial.waiting.clear();
  trial.joining.clear();
  trial.joined.clear();
  trial.socket = undefined;
  trial.opened = undefined;
}

function receiveFrame(trial: Trial, text: string): void {
  showFrame('got', text);
  const { id, data, error } = JSON.parse(text) as { id?: number; data?: unknown; error?: unknown };
  if (id === undefined) return;
  const room = trial.joining.get(id);
  trial.joining.delete(id);
  if (room !== undefined && error !== undefined) trial.joined.delete(room);
  const output = trial.waiting.get(id);
  if (!output) return;
  trial.waiting.delete(id);
  showResult(output, JSON.stringify(error ?? data, null, 2), error === undefined ? 'good' : 'bad');
}

function showResult(output: HTMLElement, text: string, kind: string): void {
  output.className = kind;
  output.textContent = text;
}

function showState(state: string, text: string): void {
  const status = document.getElementById('status')!;
  status.dataset['state'] = state;
  document.getElementById('status-text')!.textContent = text;
}

/** The newest frame comes first; 200 stay. */
function showFrame(kind: string, text: string): void {
  const item = document.createElement('li');
  item.className = kind;
  item.textContent = text;
  const frames = document.getElementById('frames')!;
  frames.prepend(item);
  while (frames.children.length > 200) frames.lastElementChild!.remove();
}

const FUNCTIONS = [
  ...[startPage, searchPage, tryCommand, sendFrame, connected, connect, forgetConnection],
  ...[receiveFrame, showResult, showState, showFrame],
];

/** The script of the page. Builds may mark functions with their names by `__name`. */
export const SCRIPT = ['var __name = (value) => value;', ...FUNCTIONS.map(String), `${startPage.name}();`].join('\n');

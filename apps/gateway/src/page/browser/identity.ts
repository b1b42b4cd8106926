/** Names for guests: with these a name is seldom given twice. */
const COLORS =
  'amber azure coral cyan ebony gold indigo ivory jade lilac lime mint ochre olive opal pearl plum ruby sage scarlet sepia silver teal violet';
const ANIMALS =
  'badger beaver bison crane dingo eagle falcon ferret finch gecko heron ibex jackal koala lemur lynx marten moose newt otter owl panda puffin quail raven robin seal stork tapir wombat wren yak zebra';

const query = new URLSearchParams(location.search);

/** Key of the rooms that this page shows. */
export const roomKey = query.get('room') || 'demo';
/** True in one half of the split view: the halves share a tab, so each has its name in its address. */
export const isHalf = query.has('half');
/** How nodes let clients in. */
export const auth = byMeta('wss-auth') as 'none' | 'jwt';

/** The address of the page in the same room. */
export function pageUrl(parameters: Readonly<Record<string, string>> = {}): string {
  const url = new URL(location.pathname, location.origin);
  const room = query.get('room');
  for (const [name, value] of Object.entries({ ...(room && { room }), ...parameters }))
    url.searchParams.set(name, value);
  return url.href;
}

/** The address of the node's WebSocket. */
export function socketUrl(user: string): string {
  const url = new URL(byMeta('wss-path'), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (auth === 'none') url.searchParams.set('user', user);
  return url.href;
}

/** A value that stays through reloads of this tab, and that no other tab has. It may come with the address. */
class Kept {
  private value: string;

  constructor(
    private readonly parameter: string,
    fallback: () => string,
  ) {
    const given = query.get(parameter);
    this.value = given || (isHalf ? '' : read(parameter)) || fallback();
    this.write();
  }

  get(): string {
    return this.value;
  }

  set(value: string): void {
    this.value = value;
    this.write();
  }

  private write(): void {
    if (!isHalf) save(this.parameter, this.value);
  }
}

/** The name of this tab's user, where clients name themselves. */
export const name = new Kept('user', someName);
/** The token that this tab shows, where clients need one. */
export const token = new Kept('access_token', () => '');

/** Takes what is kept out of the address, so that it may be passed on: others are not the same user. */
export function tidyAddress(): void {
  if (isHalf) return;
  const view = query.has('split') ? { split: '' } : undefined;
  history.replaceState(null, '', pageUrl(view));
}

function someName(): string {
  const pick = (words: string): string => {
    const list = words.split(' ');
    return list[crypto.getRandomValues(new Uint32Array(1))[0]! % list.length]!;
  };
  return `${pick(COLORS)}-${pick(ANIMALS)}`;
}

function byMeta(id: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${id}"]`)!.content;
}

/** A browser that keeps nothing for the page still shows it. */
function read(key: string): string {
  try {
    return sessionStorage.getItem(`wss.${key}`) ?? '';
  } catch {
    return '';
  }
}

function save(key: string, value: string): void {
  try {
    sessionStorage.setItem(`wss.${key}`, value);
  } catch {
    // The value counts until the page is loaded again.
  }
}

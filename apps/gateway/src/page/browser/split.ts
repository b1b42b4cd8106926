import { byId, make } from './dom.js';
import { pageUrl } from './identity.js';

/** Shows the page twice: two users side by side, each with a connection of its own, as in two browsers. */
export function showSplit(): void {
  document.documentElement.classList.add('split');
  const halves = ['ann', 'ben'].map((user) => {
    const half = make('iframe', '') as HTMLIFrameElement;
    half.title = `The page of ${user}`;
    half.src = pageUrl({ user, half: '' });
    return half;
  });
  byId('page').replaceChildren(make('div', 'halves', ...halves));
  const link = byId<HTMLAnchorElement>('split');
  link.textContent = 'Single view';
  link.href = pageUrl();
}

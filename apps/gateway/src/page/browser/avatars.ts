import { hueOf, make } from './dom.js';

/** One or two signs that stand for a user: initials of words, the end of a guest's number, or the beginning. */
export function initialsOf(user: string): string {
  const guest = /^guest-\d*(\d\d)$/.exec(user);
  if (guest) return guest[1]!;
  const words = user.split(/[\s._-]+/u).filter((word) => word !== '');
  const [first = '?', second] = words;
  const signs = second === undefined ? signsOf(first).slice(0, 2) : [signsOf(first)[0]!, signsOf(second)[0]!];
  return signs.join('').toLocaleUpperCase();
}

/** The picture of a user. */
export function avatar(user: string): HTMLElement {
  const element = make('span', 'avatar', initialsOf(user));
  element.style.setProperty('--hue', String(hueOf(user)));
  element.setAttribute('aria-hidden', 'true');
  return element;
}

/** The signs of a text as a reader counts them: a flag is one, though it has several characters. */
function signsOf(text: string): string[] {
  return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}

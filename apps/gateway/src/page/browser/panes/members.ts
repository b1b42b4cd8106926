import type { Room } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import { avatar, byId, make } from './dom.js';

/** How many faces are shown; the others are a number. */
const FACES = 6;

/** Shows who is in a room. The user of this page always counts as present. */
export function showMembers(room: Room<WssContract['rooms']['chat']>, me: () => string): void {
  const show = (): void => {
    const others = room.members.list.map(({ user }) => user).filter((user) => user !== me());
    const users = [me(), ...others].filter((user) => user !== '');
    const faces = users.slice(0, FACES).map(face);
    const more = users.length - faces.length;
    if (more > 0) faces.push(make('li', '', make('span', 'avatar more', `+${more}`)));
    byId('members').replaceChildren(...faces);
  };
  room.members.subscribe(show);
  void room.join().then(show, () => undefined);
}

function face(user: string): HTMLElement {
  const item = make('li', '', avatar(user));
  item.title = user;
  item.setAttribute('aria-label', user);
  return item;
}

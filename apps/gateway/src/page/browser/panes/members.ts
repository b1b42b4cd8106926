import { avatar } from '../avatars.js';
import { byId, make } from '../dom.js';
import type { ChatRoom } from '../page-contract.js';

/** How many faces are shown; the others are a number. */
const FACES = 6;

/** Shows who is in a room. The user of this page always counts as present. */
export function showMembers(room: ChatRoom, me: () => string): void {
  const show = (): void => {
    const others = room.members.list.map(({ user }) => user).filter((user) => user !== me());
    const users = [me(), ...others].filter((user) => user !== '');
    const faces = users.slice(0, FACES).map((user) => face(user, user === me()));
    const more = users.slice(FACES);
    if (more.length > 0)
      faces.push(face(more.join(', '), false, make('span', 'avatar more', `+${more.length}`)));
    byId('members').replaceChildren(...faces);
  };
  room.members.subscribe(show);
  void room.join().then(show, () => undefined);
}

function face(user: string, isMe: boolean, picture = avatar(user)): HTMLElement {
  const item = make('li', isMe ? 'me' : '', picture);
  item.title = isMe ? `${user} (you)` : user;
  item.setAttribute('aria-label', item.title);
  item.dataset['user'] = user;
  return item;
}

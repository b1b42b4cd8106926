import { byId, setText } from '../dom.js';
import type { ChatRoom } from '../page-contract.js';

/** Time after the last keystroke when a user stops being shown as typing, ms. */
const TYPING_MS = 3_000;

/** Shows who is typing, and tells the others that we are. */
export function showTyping(room: ChatRoom): void {
  const typing = new Map<string, ReturnType<typeof setTimeout>>();
  const show = (): void => {
    const users = [...typing.keys()].map((user) => [...user].slice(0, 24).join(''));
    setText(byId('typing'), users.length > 0 ? `${users.slice(0, 3).join(', ')} typing …` : '');
  };
  const stop = (user: string): void => {
    clearTimeout(typing.get(user));
    if (typing.delete(user)) show();
  };
  room.on('chat.typing', ({ data: { user } }) => {
    clearTimeout(typing.get(user));
    typing.set(
      user,
      setTimeout(() => stop(user), TYPING_MS),
    );
    show();
  });
  room.on('chat.sent', ({ data: { user } }) => stop(user));
  let told = -Infinity;
  byId('text').addEventListener('input', () => {
    // Nobody wants to hear later that we were typing.
    if (room.status.state !== 'live' || performance.now() - told < TYPING_MS / 2) return;
    told = performance.now();
    room.command('chat.typing', {}, { timeoutMs: TYPING_MS }).catch(() => undefined);
  });
}

import type { Room } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import { avatar, byId, complain, make, onSubmit } from './dom.js';

/** How many of the newest messages are shown at first. */
const LAST = 50;
/** Time after the last keystroke when a user stops being shown as typing, ms. */
const TYPING_MS = 3_000;

type ChatRoom = Room<WssContract['rooms']['chat']>;
type ChatMessage = Pick<WssContract['rooms']['chat']['events']['chat.sent'], 'user' | 'text' | 'at'>;

/** Messages in the room's order; ours are shown at once and stay grey until they have their place. */
export function showChat(room: ChatRoom, me: () => string): void {
  const list = byId('messages');
  const drafts: HTMLElement[] = [];
  const append = (message: ChatMessage): HTMLElement => {
    const item = bubble(message, message.user === me());
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.insertBefore(item, drafts[0] ?? null);
    if (isAtEnd || message.user === me()) list.scrollTop = list.scrollHeight;
    return item;
  };
  void room.join({ last: LAST }).catch(complain);
  room.on('chat.sent', ({ data }) => void append(data));
  onSubmit('send', 'text', (text) => {
    byId<HTMLFormElement>('send').reset();
    const draft = append({ user: me(), text, at: Date.now() });
    draft.classList.add('waiting');
    list.append(draft);
    drafts.push(draft);
    const settled = (): void => {
      drafts.splice(drafts.indexOf(draft), 1);
      draft.remove();
    };
    room.command('chat.send', { text }, { timeoutMs: 300_000 }).then(settled, (error: unknown) => {
      settled();
      complain(error);
    });
  });
  showTyping(room);
}

function showTyping(room: ChatRoom): void {
  const typing = new Map<string, ReturnType<typeof setTimeout>>();
  const show = (): void => {
    const users = [...typing.keys()];
    byId('typing').textContent = users.length > 0 ? `${users.slice(0, 3).join(', ')} typing …` : '';
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
    if (performance.now() - told < TYPING_MS / 2) return;
    told = performance.now();
    room.command('chat.typing', {}, { timeoutMs: TYPING_MS }).catch(() => undefined);
  });
}

function bubble({ user, text, at }: ChatMessage, mine: boolean): HTMLElement {
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const about = make('small', '', mine ? time : `${user} · ${time}`);
  return make('li', `message ${mine ? 'mine' : ''}`, avatar(user), make('div', 'bubble', text, about));
}

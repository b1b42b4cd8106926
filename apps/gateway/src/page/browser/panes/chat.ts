import type { RoomReset } from '@wss/client';
import { avatar } from '../avatars.js';
import { byId, make, onSubmit, textOf } from '../dom.js';
import { complain, giveBack } from '../notices.js';
import type { ChatRoom } from '../page-contract.js';
import { PATIENT, type Unanswered } from '../waiting.js';
import { showTyping } from './typing.js';

/** How many of the newest messages are shown at first. */
const LAST = 50;
/** How far from its end a list still follows what is new, px. */
const NEAR = 60;

interface Draft {
  readonly text: string;
  readonly item: HTMLElement;
}

/** Messages in the room's order; ours are shown at once, as waiting until they have their place. */
export function showChat(room: ChatRoom, waiting: Unanswered, me: () => string): void {
  const chat = new Chat(byId('messages'), me);
  void room.join({ last: LAST }).catch(complain);
  room.on('chat.sent', ({ data, seq }) => chat.sent(data, seq!));
  room.onReset((reset) => chat.reset(reset));
  onSubmit('send', 'text', (text) => {
    byId<HTMLFormElement>('send').reset();
    const draft = chat.draft(text);
    const work = waiting.during(room.name, room.command('chat.send', { text }, PATIENT));
    work.then(
      () => chat.settle(draft),
      (error: unknown) => {
        chat.settle(draft);
        giveBack('text', text, error);
      },
    );
  });
  showTyping(room);
}

class Chat {
  private drafts: Draft[] = [];
  /** True while the newest message is in sight; then it stays there, whatever comes or changes its size. */
  private isAtEnd = true;

  constructor(
    private readonly list: HTMLElement,
    private readonly me: () => string,
  ) {
    list.addEventListener('scroll', () => {
      this.isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
    });
    new ResizeObserver(() => this.follow()).observe(list);
  }

  sent({ user, text, at }: { user: string; text: string; at: number }, seq: number): void {
    const isMine = user === this.me();
    // The message may come before the answer to its command, and must not be seen twice meanwhile.
    const draft = isMine && this.drafts.find((each) => each.text === text);
    if (draft) this.settle(draft);
    const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const item = bubble(user, text, isMine ? time : textOf(user), isMine ? '' : ` · ${time}`);
    item.classList.toggle('mine', isMine);
    item.dataset['seq'] = String(seq);
    this.insert(item, isMine);
  }

  draft(text: string): Draft {
    const item = bubble(this.me(), text, make('span', 'badge', 'waiting'));
    item.classList.add('mine', 'waiting');
    const draft = { text, item };
    this.drafts.push(draft);
    this.list.append(item);
    this.isAtEnd = true;
    this.follow();
    return draft;
  }

  /** It is answered, or has its place among the messages. */
  settle(draft: Draft): void {
    this.drafts = this.drafts.filter((each) => each !== draft);
    draft.item.remove();
  }

  /** Takes away what the server has no more; where it has more than was seen, the list says so. */
  reset({ reason, lost, position }: RoomReset): void {
    const isGone = reason === 'unknown_epoch' || reason === 'deleted';
    for (const item of this.list.querySelectorAll<HTMLElement>('[data-seq]')) {
      if (isGone || Number(item.dataset['seq']) >= (lost?.from ?? Infinity)) item.remove();
    }
    if (!isGone && !lost && position.seq > 0)
      this.insert(make('li', 'skipped', 'Messages are missing here.'), false);
  }

  private insert(item: HTMLElement, isOurs: boolean): void {
    this.list.insertBefore(item, this.drafts[0]?.item ?? null);
    this.isAtEnd ||= isOurs;
    this.follow();
  }

  private follow(): void {
    if (this.isAtEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}

function bubble(user: string, text: string, ...about: (Node | string)[]): HTMLElement {
  const content = make('div', 'bubble', textOf(text, 'p'), make('small', '', ...about));
  return make('li', 'message', avatar(user), content);
}

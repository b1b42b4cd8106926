import { WssClient } from '@wss/client';
import { showDetails } from './details.js';
import { byId, onSubmit } from './dom.js';
import { auth, isHalf, name, pageUrl, roomKey, socketUrl } from './identity.js';
import { complain, say } from './notices.js';
import type { PageClient, PageContract } from './page-contract.js';
import { showBoard } from './panes/board.js';
import { showChat } from './panes/chat.js';
import { showCounter } from './panes/counter.js';
import { showMembers } from './panes/members.js';
import { showResets } from './panes/resets.js';
import { SignIn } from './sign-in.js';
import { showStatus } from './status.js';
import { Unanswered } from './waiting.js';

/** In development the page is back as soon as the node is: nobody is spared by a longer wait, ms. */
const DEVELOPMENT = { firstMs: 200, mostMs: 800 };

/** Shows one user's view of the rooms. */
export function showOne(): void {
  const signIn = new SignIn();
  const client: PageClient = new WssClient<PageContract>(socketUrl(name.get()), {
    ...(auth === 'none' ? { backoff: DEVELOPMENT } : signIn.options),
  });
  const waiting = new Unanswered();
  const me = { name: auth === 'none' ? name.get() : '' };
  const [chat, counter, board] = [
    client.room(`chat:${roomKey}`),
    client.room(`counter:${roomKey}`),
    client.room(`board:${roomKey}`),
  ] as const;
  client.onHello(({ user }) => {
    me.name = user;
    byId<HTMLInputElement>('name').value = user;
  });
  client.onError(complain);
  client.onRollback(({ commands, forgotten, resubmitted }) => {
    const lost = `The server has lost ${commands.length + forgotten.length} of your changes`;
    say(resubmitted ? `${lost} and gets them again.` : `${lost}.`, 'bad');
  });
  signIn.watch(client);
  showStatus(client, waiting);
  showMembers(chat, () => me.name);
  showChat(chat, waiting, () => me.name);
  showCounter(counter, waiting);
  showBoard(board, waiting);
  showResets({ chat, counter, board });
  showDetails(client, waiting, [board, counter, chat]);
  showLinks(waiting);
}

/** The user's name, and other views of the same rooms. */
function showLinks(waiting: Unanswered): void {
  const field = byId<HTMLInputElement>('name');
  field.readOnly = auth === 'jwt';
  if (auth === 'none') field.value = name.get();
  byId<HTMLAnchorElement>('second').href = pageUrl();
  byId<HTMLAnchorElement>('split').href = pageUrl({ split: '' });
  onSubmit('rename', 'name', (wish) => {
    if (waiting.total > 0)
      return say('Your changes still wait; take another name when they are sent.', 'bad');
    name.set(wish);
    location.assign(isHalf ? pageUrl({ user: wish, half: '' }) : pageUrl());
  });
}

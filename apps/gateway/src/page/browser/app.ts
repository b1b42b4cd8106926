import { WssClient } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import { showBoard } from './board.js';
import { showChat } from './chat.js';
import { showCounter } from './counter.js';
import { byId, complain, onSubmit } from './dom.js';
import { showMembers } from './members.js';
import { showStatus } from './status.js';

/** `?room=` names the rooms, `?user=` the user of this page. */
const query = new URLSearchParams(location.search);
const key = query.get('room') ?? 'demo';

const url = new URL(location.href);
url.protocol = url.protocol.replace('http', 'ws');
url.pathname = document.querySelector<HTMLMetaElement>('meta[name="wss-path"]')!.content;
url.hash = '';
const client = new WssClient<WssContract>(url.href);

let user = query.get('user') ?? '';
client.onHello((hello) => {
  user = hello.user;
  byId<HTMLInputElement>('name').value = user;
});
client.onError(complain);
showStatus(client);
showChat(client.room(`chat:${key}`), () => user);
showMembers(client.room(`chat:${key}`), () => user);
showCounter(client.room(`counter:${key}`));
showBoard(client.room(`board:${key}`));

onSubmit('rename', 'name', (name) => {
  query.set('user', name);
  location.search = query.toString();
});
const second = new URL(location.href);
second.searchParams.delete('user');
byId<HTMLAnchorElement>('second').href = second.href;

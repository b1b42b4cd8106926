import type { Status, WssClientOptions } from '@wss/client';
import { byId, onSubmit, setText } from './dom.js';
import { token } from './identity.js';
import type { PageClient } from './page-contract.js';

/**
 * Asks for a token where nodes need one, and says why the last one was refused. While the user looks for another,
 * the client waits with the session, and so does everything that is to be sent.
 */
export class SignIn {
  private isAsked = false;
  private take?: (token: string) => void;
  private isOver = false;

  /** The client asks for a token before each attempt, and once more when it was refused. */
  readonly options: WssClientOptions = {
    token: () => (this.isAsked ? this.ask() : token.get()),
    tokenWithinMs: Infinity,
  };

  constructor() {
    onSubmit('sign-in', 'token', (text) => {
      token.set(text);
      byId<HTMLFormElement>('sign-in').reset();
      // A client that has given up does not come back.
      if (this.isOver) return location.reload();
      this.isAsked = false;
      byId('sign-in').hidden = true;
      this.take?.(text);
    });
  }

  watch(client: PageClient): void {
    client.onStatus((status) => this.onStatus(status));
  }

  private onStatus(status: Status): void {
    if (status.state === 'open') {
      this.isAsked = false;
      byId('sign-in').hidden = true;
    }
    const error = 'error' in status ? status.error : undefined;
    if (error?.code !== 'unauthenticated' && error?.code !== 'bad_token') return;
    this.isAsked = true;
    this.isOver = status.state === 'closed';
    this.show(error.message);
  }

  private show(reason: string): void {
    setText(byId('refusal'), token.get() === '' ? 'You have shown none yet.' : `The server says: ${reason}.`);
    byId('sign-in').hidden = false;
    byId('token').focus();
  }

  private ask(): Promise<string> {
    return new Promise((resolve) => (this.take = resolve));
  }
}

import { WssError } from '@wss/client';
import { button, byId, make, textOf } from './dom.js';

/** How long a notice is shown, ms; one with something to do stays until it is done. */
const SHOWN_MS = 8_000;
const MOST = 3;

/** A way out of what a notice says. */
interface Remedy {
  readonly label: string;
  readonly act: () => void;
}

/** Says something that the user should know, in a corner of the page. */
export function say(text: string, kind: 'bad' | 'good' = 'good', remedy?: Remedy): void {
  const notice = make('li', `notice ${kind}`, textOf(text, 'p'));
  const close = (): void => notice.remove();
  if (remedy) {
    const act = make('button', '', remedy.label);
    act.addEventListener('click', () => (remedy.act(), close()));
    notice.append(act);
  } else setTimeout(close, SHOWN_MS);
  notice.append(button('✕', 'Dismiss', close));
  const list = byId('notices');
  list.append(notice);
  while (list.children.length > MOST) list.firstElementChild!.remove();
}

/** Shows a failure. */
export function complain(error: unknown, what = ''): void {
  say(`${what}${what && ': '}${reasonOf(error)}`, 'bad');
}

/**
 * A text that was refused goes back to where it was typed; if something else is there by now, it is kept in the
 * notice.
 */
export function giveBack(fieldId: string, text: string, error: unknown): void {
  const field = byId<HTMLInputElement>(fieldId);
  const isFree = field.value.trim() === '';
  const restore = (): void => {
    field.value = text;
    field.focus();
  };
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  const reason = `“${short}” was not taken: ${reasonOf(error)}`;
  if (isFree) {
    field.value = text;
    say(reason, 'bad');
  } else say(reason, 'bad', { label: 'Put it back', act: restore });
}

/** An error in words for those who use the page. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof WssError)) return (error as Error).message;
  const { code, message, details } = error;
  const reasons = details?.map((detail) => detail.message).filter(Boolean);
  if (code === 'invalid' && reasons?.length) return `${reasons.join(', ')}.`;
  return WORDS[code] ?? `${message}.`;
}

const WORDS: Readonly<Record<string, string>> = {
  session_expired: 'the server began anew, and nobody knows if it took effect.',
  disconnected: 'the connection was lost, and nobody knows if it took effect.',
  not_found: 'somebody else has removed it.',
  queue_full: 'too much is waiting already.',
};

import type { Room } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import { byId, complain } from './dom.js';

/** A number that everybody changes. Until a change is confirmed it is shown in grey. */
export function showCounter(room: Room<WssContract['rooms']['counter']>): void {
  const copy = room.state('counter');
  let waiting = 0;
  let open = 0;
  const show = (): void => {
    const output = byId<HTMLOutputElement>('counter');
    output.value = String((copy.value?.value ?? 0) + waiting);
    output.classList.toggle('waiting', open > 0 || !copy.value);
  };
  const add = async (by: number): Promise<void> => {
    waiting += by;
    open++;
    show();
    await room.command('counter.add', { by }, { timeoutMs: 300_000 }).catch(complain);
    waiting -= by;
    open--;
    show();
  };
  copy.subscribe(show);
  byId('up').addEventListener('click', () => void add(1));
  byId('down').addEventListener('click', () => void add(-1));
}

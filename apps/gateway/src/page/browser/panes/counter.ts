import { byId, count, setText } from '../dom.js';
import { complain } from '../notices.js';
import type { CounterRoom } from '../page-contract.js';
import { PATIENT, type Unanswered } from '../waiting.js';

/** A number that everybody changes. Steps count at once; those that wait are named beside it. */
export function showCounter(room: CounterRoom, waiting: Unanswered): void {
  const copy = room.state('counter');
  let steps = 0;
  const show = (): void => {
    const open = waiting.in(room.name);
    const output = byId<HTMLOutputElement>('counter');
    setText(output, String((copy.value?.value ?? 0) + steps));
    output.classList.toggle('waiting', open > 0 || !copy.value);
    setText(byId('counter-waiting'), open > 0 ? `${count(open, 'step')} waiting` : '');
  };
  const add = async (by: number): Promise<void> => {
    steps += by;
    const work = waiting.during(room.name, room.command('counter.add', { by }, PATIENT));
    show();
    await work.catch((error: unknown) => complain(error, by > 0 ? 'One more' : 'One less'));
    steps -= by;
    show();
  };
  copy.subscribe(show);
  byId('up').addEventListener('click', () => void add(1));
  byId('down').addEventListener('click', () => void add(-1));
}

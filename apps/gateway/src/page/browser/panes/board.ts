import type { Room } from '@wss/client';
import type { Card, WssContract } from '../../../../../contract/wss-contract.js';
import { CardGrid } from './card-grid.js';
import { byId, complain, onSubmit } from './dom.js';

/** The place that a card should get, until the server confirms it. */
interface Move {
  readonly card: string;
  readonly to: number;
}

/** Cards in an order that everybody changes: by dragging, by buttons, or by arrow keys. */
export function showBoard(room: Room<WssContract['rooms']['board']>): void {
  const copy = room.state('board');
  const moves: Move[] = [];
  const grid = new CardGrid(byId('cards'), {
    onMove: (card, to) => void move({ card, to }),
    onRemove: (card) => void room.command('board.remove-card', { card }, PATIENT).catch(complain),
  });
  const show = (): void => {
    const cards = copy.value?.cards ?? [];
    grid.show(moves.reduce(moved, cards), new Set(moves.map(({ card }) => card)));
    byId('board-empty').hidden = !copy.value || cards.length > 0;
    byId('board-count').textContent = cards.length === 1 ? '1 card' : `${cards.length} cards`;
  };
  const move = async (wish: Move): Promise<void> => {
    moves.push(wish);
    show();
    await room.command('board.move-card', wish, PATIENT).catch(complain);
    moves.splice(moves.indexOf(wish), 1);
    show();
  };
  copy.subscribe(show);
  onSubmit('add-card', 'card-title', (title) => {
    byId<HTMLFormElement>('add-card').reset();
    room.command('board.add-card', { title }, PATIENT).catch(complain);
  });
}

/** How long a wish waits for a node to come back, ms. */
const PATIENT = { timeoutMs: 300_000 };

/** The cards, one of them in its wished place. */
function moved(cards: readonly Card[], { card, to }: Move): readonly Card[] {
  const mover = cards.find(({ id }) => id === card);
  if (!mover) return cards;
  const others = cards.filter(({ id }) => id !== card);
  return [...others.slice(0, to), mover, ...others.slice(to)];
}

import { byId, count, onSubmit, setText } from '../dom.js';
import { complain, giveBack } from '../notices.js';
import type { BoardRoom, Card } from '../page-contract.js';
import { PATIENT, type Unanswered } from '../waiting.js';
import { CardGrid, type ShownCard } from './card-grid.js';

/** A change that the user wants, until the server has answered. */
type Wish =
  | { readonly kind: 'adding'; readonly id: string; readonly title: string }
  | { readonly kind: 'moving'; readonly card: string; readonly to: number }
  | { readonly kind: 'removing'; readonly card: string };

/** Cards in an order that everybody changes: by dragging, by buttons, or by arrow keys. */
export function showBoard(room: BoardRoom, waiting: Unanswered): void {
  const board = new BoardPane(room, waiting);
  onSubmit('add-card', 'card-title', (title) => {
    byId<HTMLFormElement>('add-card').reset();
    board.add(title);
  });
}

class BoardPane {
  private readonly copy;
  private readonly grid: CardGrid;
  private wishes: Wish[] = [];
  private added = 0;

  constructor(
    private readonly room: BoardRoom,
    private readonly waiting: Unanswered,
  ) {
    this.copy = room.state('board');
    this.grid = new CardGrid(byId('cards'), {
      onMove: (card, to) => this.move(card, to),
      onRemove: (card) => this.remove(card),
    });
    // The card may come before the answer to its command, and must not be seen twice meanwhile.
    room.on('board.card-added', ({ data }) => this.forgetAdded(data.title));
    this.copy.subscribe(() => this.show());
    this.show();
  }

  add(title: string): void {
    const work = this.room.command('board.add-card', { title }, PATIENT);
    const wish: Wish = { kind: 'adding', id: `new-${this.added++}`, title };
    void this.during(wish, work, (error) => giveBack('card-title', title, error));
  }

  private move(card: string, to: number): void {
    const title = this.titleOf(card);
    const work = this.room.command('board.move-card', { card, to }, PATIENT);
    void this.during({ kind: 'moving', card, to }, work, (error) =>
      complain(error, `“${title}” did not move`),
    );
  }

  private remove(card: string): void {
    const title = this.titleOf(card);
    const work = this.room.command('board.remove-card', { card }, PATIENT);
    void this.during({ kind: 'removing', card }, work, (error) =>
      complain(error, `“${title}” was not removed`),
    );
  }

  private async during(wish: Wish, work: Promise<unknown>, onError: (error: unknown) => void): Promise<void> {
    this.wishes.push(wish);
    const counted = this.waiting.during(this.room.name, work);
    this.show();
    await counted.catch(onError);
    this.forget(wish);
  }

  private forget(wish: Wish | undefined): void {
    this.wishes = this.wishes.filter((each) => each !== wish);
    this.show();
  }

  private forgetAdded(title: string): void {
    this.forget(this.wishes.find((wish) => wish.kind === 'adding' && wish.title === title));
  }

  private show(): void {
    const { value } = this.copy;
    const cards = this.wishes.reduce<readonly ShownCard[]>(wished, value?.cards ?? []);
    this.grid.show(cards);
    byId('board-empty').hidden = !value || cards.length > 0;
    const waits = cards.filter(({ waits: kind }) => kind !== undefined).length;
    if (value)
      setText(byId('board-count'), count(cards.length, 'card') + (waits > 0 ? `, ${waits} waiting` : ''));
  }

  private titleOf(id: string): string {
    const title = this.copy.value?.cards.find((card: Card) => card.id === id)?.title ?? 'The card';
    return title.length > 40 ? `${title.slice(0, 40)}…` : title;
  }
}

/** The cards with one more wish fulfilled. A card that is to be removed stays in sight until it is. */
function wished(cards: readonly ShownCard[], wish: Wish): readonly ShownCard[] {
  if (wish.kind === 'adding') return [...cards, { id: wish.id, title: wish.title, waits: 'adding' }];
  const card = cards.find(({ id }) => id === wish.card);
  if (!card) return cards;
  const waits = card.waits === 'removing' ? card.waits : wish.kind;
  const at = wish.kind === 'moving' ? wish.to : cards.indexOf(card);
  const others = cards.filter((each) => each !== card);
  return [...others.slice(0, at), { ...card, waits }, ...others.slice(at)];
}

import { button, byId, hueOf, make, setText, textOf } from '../dom.js';
import type { Card } from '../page-contract.js';

/** A card, and what of it is not confirmed yet. */
export interface ShownCard extends Card {
  readonly waits?: 'adding' | 'moving' | 'removing';
}

/** Hears what the user wants to do with a card. */
export interface CardActions {
  onMove(card: string, to: number): void;
  onRemove(card: string): void;
}

const WAITS = { adding: 'waits to be added', moving: 'waits to move', removing: 'waits to be removed' };

/** A card that is being dragged: where the pointer took it, and where it would land. */
interface Held {
  readonly id: string;
  to: number;
}

const SLIDE_MS = 160;

/** Cards as elements that stay the same while their order changes, so that they can slide and be held. */
export class CardGrid {
  private readonly elements = new Map<string, HTMLElement>();
  private cards: readonly ShownCard[] = [];
  private held?: Held;

  constructor(
    private readonly list: HTMLElement,
    private readonly actions: CardActions,
  ) {
    window.addEventListener('pointermove', (event) => this.drag(event));
    window.addEventListener('pointerup', () => this.drop());
    window.addEventListener('pointercancel', () => this.letGo());
  }

  /** Shows these cards in this order. */
  show(cards: readonly ShownCard[]): void {
    this.cards = cards;
    this.draw();
  }

  private draw(): void {
    const places = new Map([...this.elements].map(([id, element]) => [id, element.getBoundingClientRect()]));
    const order = this.order();
    for (const [id, element] of this.elements) {
      if (order.some((card) => card.id === id)) continue;
      element.remove();
      this.elements.delete(id);
    }
    order.forEach((card, index) => this.put(card, index));
    for (const [id, element] of this.elements) slide(element, places.get(id));
  }

  /** The order with the held card where it would land. */
  private order(): readonly ShownCard[] {
    const { held, cards } = this;
    const card = held && cards.find(({ id }) => id === held.id);
    if (!card) return cards;
    const others = cards.filter(({ id }) => id !== held.id);
    return [...others.slice(0, held.to), card, ...others.slice(held.to)];
  }

  private put(card: ShownCard, index: number): void {
    let element = this.elements.get(card.id);
    if (!element) this.elements.set(card.id, (element = this.make(card)));
    element.classList.toggle('held', this.held?.id === card.id);
    mark(element, card);
    if (this.list.children[index] === element) return;
    const hadFocus = element.contains(document.activeElement) ? document.activeElement : null;
    this.list.insertBefore(element, this.list.children[index] ?? null);
    (hadFocus as HTMLElement | null)?.focus();
  }

  private make({ id, title }: Card): HTMLElement {
    const step = (by: number) => () => this.step(id, by);
    const grip = make('span', 'grip', '⋮⋮');
    grip.setAttribute('aria-hidden', 'true');
    const tools = make(
      'div',
      'tools',
      grip,
      button('←', `Move ${title} earlier`, step(-1)),
      button('→', `Move ${title} later`, step(1)),
      button('✕', `Remove ${title}`, () => this.actions.onRemove(id)),
    );
    const text = textOf(title, 'p');
    text.title = title;
    const element = make('li', 'card', text, make('span', 'badge'), tools);
    element.dataset['card'] = id;
    element.tabIndex = 0;
    element.style.setProperty('--hue', String(hueOf(id)));
    element.addEventListener('pointerdown', (event) => this.grab(event, id));
    element.addEventListener('keydown', (event) => {
      if (event.target !== element || element.matches('.fixed')) return;
      if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') step(-1)();
      else if (event.key === 'ArrowRight' || event.key === 'ArrowDown') step(1)();
      else if (event.key === 'Delete') this.actions.onRemove(id);
      else return;
      event.preventDefault();
    });
    return element;
  }

  /** A finger holds a card by its grip, so that the page can still be scrolled; a mouse holds it anywhere. */
  private grab(event: PointerEvent, id: string): void {
    const target = event.target as HTMLElement;
    if (target.closest('.fixed')) return;
    const isHandle = event.pointerType === 'mouse' ? !target.closest('button') : target.closest('.grip');
    if (!isHandle || event.button !== 0) return;
    this.held = { id, to: this.indexOf(id) };
    this.draw();
  }

  private drag(event: PointerEvent): void {
    const { held } = this;
    if (!held) return;
    const to = this.slotUnder(event);
    if (to < 0 || to === held.to) return;
    held.to = to;
    this.draw();
  }

  /** Uses the layout, since elements may still be sliding to their place. */
  private slotUnder({ clientX, clientY }: PointerEvent): number {
    const { left, top } = this.list.getBoundingClientRect();
    return [...this.list.children].findIndex((child) => {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = child as HTMLElement;
      const [x, y] = [clientX - left - offsetLeft, clientY - top - offsetTop];
      return x >= 0 && y >= 0 && x < offsetWidth && y < offsetHeight;
    });
  }

  private drop(): void {
    const { held } = this;
    if (!held) return;
    const isMoved = held.to !== this.indexOf(held.id) && this.indexOf(held.id) >= 0;
    this.letGo();
    if (isMoved) this.actions.onMove(held.id, held.to);
  }

  private letGo(): void {
    if (!this.held) return;
    delete this.held;
    this.draw();
  }

  /** One place earlier or later, if there is one. */
  private step(id: string, by: number): void {
    const to = this.indexOf(id) + by;
    if (to < 0 || to >= this.cards.length) return;
    this.actions.onMove(id, to);
    setText(byId('announce'), `Place ${to + 1} of ${this.cards.length}`);
  }

  private indexOf(id: string): number {
    return this.cards.findIndex((card) => card.id === id);
  }
}

/** Shows what is not confirmed; a card that is not there yet, or soon no more, can't be changed. */
function mark(element: HTMLElement, { waits }: ShownCard): void {
  const isFixed = waits === 'adding' || waits === 'removing';
  element.classList.toggle('waiting', waits !== undefined);
  element.classList.toggle('removing', waits === 'removing');
  element.classList.toggle('fixed', isFixed);
  setText(element.querySelector('.badge')!, waits === undefined ? '' : WAITS[waits]);
  for (const tool of element.querySelectorAll('button')) tool.disabled = isFixed;
}

/** Lets an element slide from where it was. */
function slide(element: HTMLElement, before: DOMRect | undefined): void {
  if (!before || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const now = element.getBoundingClientRect();
  const [x, y] = [before.left - now.left, before.top - now.top];
  if (x === 0 && y === 0) return;
  element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], SLIDE_MS);
}

/** The element with an id of the page. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** An element with a class and children; text is text, never HTML. */
export function make(tag: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/** Text of a user: it may run from right to left, whatever stands around it. */
export function textOf(text: string, tag = 'bdi', className = ''): HTMLElement {
  const element = make(tag, className, text);
  element.dir = 'auto';
  return element;
}

/** A button with a sign, and a label for those who do not see it. */
export function button(sign: string, label: string, onClick: () => void): HTMLElement {
  const element = make('button', '', sign);
  element.setAttribute('type', 'button');
  element.setAttribute('aria-label', label);
  element.title = label;
  element.addEventListener('click', onClick);
  return element;
}

/** Sets a text, but only if it changes: a screen reader would say it again. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The hue of a text, 0 to 359: that of a similar text is another one. */
export function hueOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  return Math.round((hash * 137.508) % 360);
}

/** Takes the text of a form's field when it is submitted. */
export function onSubmit(formId: string, fieldId: string, take: (text: string) => void): void {
  byId(formId).addEventListener('submit', (event) => {
    event.preventDefault();
    const text = byId<HTMLInputElement>(fieldId).value.trim();
    if (text !== '') take(text);
  });
}

/** `3 changes`, `1 change`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

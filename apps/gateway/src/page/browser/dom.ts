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

/** A button with a label. */
export function button(sign: string, label: string, onClick: () => void): HTMLElement {
  const element = make('button', '', sign);
  element.setAttribute('type', 'button');
  element.setAttribute('aria-label', label);
  element.title = label;
  element.addEventListener('click', onClick);
  return element;
}

/** The hue of a user, 0 to 359. */
export function hueOf(text: string): number {
  let hue = 0;
  for (const character of text) hue = (hue * 31 + character.codePointAt(0)!) % 360;
  return hue;
}

/** The picture of a user. */
export function avatar(user: string): HTMLElement {
  const element = make(
    'span',
    'avatar',
    user
      .replace(/^guest-/, 'g')
      .slice(0, 2)
      .toUpperCase(),
  );
  element.style.setProperty('--hue', String(hueOf(user)));
  element.setAttribute('aria-hidden', 'true');
  return element;
}

/** Takes the text of a form's field when it is submitted. */
export function onSubmit(formId: string, fieldId: string, take: (text: string) => void): void {
  byId(formId).addEventListener('submit', (event) => {
    event.preventDefault();
    const field = byId<HTMLInputElement>(fieldId);
    const text = field.value.trim();
    if (text !== '') take(text);
  });
}

/** Shows for some seconds what went wrong. */
export function complain(error: unknown): void {
  const notice = byId('notice');
  notice.textContent = (error as Error).message;
  notice.hidden = false;
  setTimeout(() => (notice.hidden = true), 8_000);
}

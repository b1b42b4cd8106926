const COPIES = Symbol.for('@wss/nest');

/** The places of all copies of the package that this process has loaded, whatever their versions and formats. */
const copies = ((globalThis as { [COPIES]?: Set<string> })[COPIES] ??= new Set());
copies.add(import.meta.url);

/**
 * Refuses a second copy of the package: its classes are other tokens to Nest, and its errors and decorators are not
 * known here.
 * @throws Error with the places of all copies, and the remedy
 */
export function refuseCopies(): void {
  if (copies.size === 1) return;
  const places = [...copies].join(' and ');
  const remedy =
    'let all of the process import it, or all of it require it (with Jest, that depends on how it is configured), and see with "npm ls @wss/nest" that there is one version';
  throw new Error(
    `@wss/nest is loaded ${copies.size} times, from ${places}, and the copies do not know each other's tokens: ${remedy}`,
  );
}

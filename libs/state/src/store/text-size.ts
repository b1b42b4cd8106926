/**
 * True if a text takes more bytes than this; its bytes are counted only if the number of characters does not decide.
 */
export function isLargerThan(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

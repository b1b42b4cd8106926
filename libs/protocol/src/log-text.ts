/** Characters of a text that a line of the log shows unless told otherwise. */
const SHOWN = 200;

/**
 * Text for a line of the log: bounded, quoted, on one line, and so that nothing in it can pass for another part.
 * @param most characters that are shown
 */
export function logText(text: string, most = SHOWN): string {
  const escaped = JSON.stringify(String(text).slice(0, most));
  return escaped.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

import { createInterface } from 'node:readline';

/** Calls `onLine` for every line of the streams. */
export function eachLine(streams, onLine) {
  for (const input of streams) createInterface({ input }).on('line', onLine);
}

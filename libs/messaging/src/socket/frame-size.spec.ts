import { expect, it } from '@jest/globals';
import { frameBytes } from './frame-size.js';

it('R29: counts the bytes of a message, whatever binaryType a gateway has chosen', () => {
  const bytes = Buffer.from('a longer text');
  const fragments = [bytes.subarray(0, 3), bytes.subarray(3)];
  for (const data of [bytes, new Uint8Array(bytes).buffer, fragments, new Blob([bytes])]) {
    expect(frameBytes(data as Buffer)).toBe(13);
  }
});

/** Number of hash slots of a Redis Cluster. */
export const SLOTS = 16_384;

/**
 * The hash slot of a key or a sharded channel: that of its first `{…}` that is not empty, else that of the whole
 * name.
 */
export function slotOf(key: string): number {
  return crc16(Buffer.from(hashedPart(key))) % SLOTS;
}

/** A name in the hash slot and namespace of a key under which no key exists, whatever names the key is made of. */
export function absentBeside(key: string): string {
  const hashed = hashedPart(key);
  // A whole key can't stand in braces if it has one that closes them.
  const tag = hashed.includes('}') ? tagOfSlot(slotOf(key)) : hashed;
  return `${key.slice(0, key.indexOf(':') + 1)}{${tag}}:-`;
}

/** The number by which each slot was met first. */
const tags = new Map<number, number>();
let nextTag = 0;

/** A text without braces in this slot: a number, which is looked for where the last search ended. */
function tagOfSlot(slot: number): string {
  while (!tags.has(slot)) {
    const met = slotOf(String(nextTag));
    if (!tags.has(met)) tags.set(met, nextTag);
    nextTag++;
  }
  return String(tags.get(slot));
}

/** The part of a key that decides its slot. */
function hashedPart(key: string): string {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  return open < 0 || close <= open + 1 ? key : key.slice(open + 1, close);
}

/** CRC-16/XMODEM, as Redis Cluster uses it. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte]!;
  return crc;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

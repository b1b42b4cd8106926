import { OPCODES, rawFrame } from './raw-client.js';

/** A kind of frames that a hostile client sends without end. */
export interface Flood {
  /** False for a client that never reads. */
  readonly reads: boolean;
  /** Bytes that can be sent again and again: whole frames, a thousand or more of small ones. */
  readonly bytes: (round: number) => Buffer;
}

const text = (content: string): Buffer => rawFrame(OPCODES.text, content);

function many(count: number, frame: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => frame(index)));
}

function repeated(count: number, frame: (index: number) => Buffer, reads = true): Flood {
  const bytes = many(count, frame);
  return { reads, bytes: () => bytes };
}

const say = (id: number, size: number): string =>
  JSON.stringify({ event: 'echo.say', id, data: { text: 'x'.repeat(size) } });

/** Floods of every kind of frame, by name. */
export const FLOODS: Readonly<Record<string, Flood>> = {
  'texts of one byte': repeated(9_000, () => text('x')),
  'empty objects': repeated(8_000, () => text('{}')),
  'small requests': repeated(1_000, (id) => text(say(id, 8))),
  'unknown events': repeated(1_000, (id) => text(JSON.stringify({ event: `no.such${id}`, id }))),
  'big requests': repeated(20, (id) => text(say(id, 60_000))),
  'deep JSON': repeated(20, () =>
    text(`{"event":"echo.say","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
  ),
  pings: repeated(500, (index) => rawFrame(OPCODES.ping, String(index).padEnd(125, 'x'))),
  pongs: repeated(8_000, () => rawFrame(OPCODES.pong)),
  'binary frames': repeated(8_000, () => rawFrame(OPCODES.binary, 'x')),
  fragments: repeated(8_000, (index) =>
    rawFrame(index % 1_000 === 0 ? OPCODES.text : OPCODES.continuation, 'x', { fin: index % 1_000 === 999 }),
  ),
  joins: {
    reads: true,
    bytes: (round) =>
      many(500, (index) =>
        text(JSON.stringify({ event: '$join', room: `chat:flood-${round * 500 + index}`, id: index })),
      ),
  },
  commits: {
    reads: true,
    bytes: (round) =>
      Buffer.concat([
        ...(round === 0 ? [text('{"event":"$join","room":"chat:flood","id":"join"}')] : []),
        many(1_000, (id) =>
          text(JSON.stringify({ event: 'chat.send', room: 'chat:flood', id, data: { text: 'hi' } })),
        ),
      ]),
  },
  'pings, never reading': repeated(500, () => rawFrame(OPCODES.ping, 'x'.repeat(125)), false),
  'requests, never reading': repeated(100, (id) => text(say(id, 2_000)), false),
};

// Preloaded into a node, as a library that writes what it likes, every few milliseconds and in all ways that Node has;
// with `CHATTER_END` an error that nothing catches ends it.
import { inspect } from 'node:util';

let seed = Number(process.env.CHATTER_SEED);
const random = (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
const texts = [
  'chatter',
  'chatter\nin two lines',
  '{"chatter":',
  '{"level":"log"}',
  '',
  'chatter "in" quotes\n',
  '{}\nchatter',
];
const text = () => texts[random(texts.length)];
const ways = [
  () => console.log(text(), { chatter: 1 }),
  () => console.error(new Error(text())),
  () => console.table([{ chatter: text() }]),
  () => console.dir({ chatter: text() }),
  () => process.stdout.write(text()),
  () => process.stdout.write(Buffer.from(text()), () => undefined),
  () => process.stderr.write(text(), 'utf8'),
  () => process.emitWarning(`chatter ${inspect(text())} ${seed}`),
  () => process.emitWarning(`chatter ${seed}`, 'DeprecationWarning', 'CHATTER'),
];
/** Number of writes, so that a slow machine sees as many as a fast one. */
const ENOUGH = 40;
// A node hears of errors before it writes its first line.
const start = setInterval(() => {
  if (process.listenerCount('uncaughtException') === 0) return;
  clearInterval(start);
  setInterval(write, 5).unref();
}, 5);

let written = 0;
function write() {
  ways[random(ways.length)]();
  if (++written !== ENOUGH) return;
  console.log('chatter has written enough');
  if (process.env.CHATTER_END) void Promise.reject(new Error('chatter ends'));
}

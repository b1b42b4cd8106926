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
// A node hears of errors before it writes its first line.
const start = setInterval(() => {
  if (process.listenerCount('uncaughtException') === 0) return;
  clearInterval(start);
  setInterval(() => ways[random(ways.length)](), 5).unref();
  if (process.env.CHATTER_END) setTimeout(() => void Promise.reject(new Error('chatter ends')), 200);
}, 5);

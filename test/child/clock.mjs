// Preloaded into a process whose clock is to be off: `CLOCK_OFFSET_MS` ahead, or behind when it is negative. With
// `CLOCK_SET_EVERY_MS` it is set that often: right, off by that much, off by as much the other way, and so on.
const offsetMs = Number(process.env.CLOCK_OFFSET_MS);
const everyMs = Number(process.env.CLOCK_SET_EVERY_MS ?? 0);
const now = Date.now;
const offset = () =>
  everyMs > 0 ? [0, offsetMs, -offsetMs][Math.floor(performance.now() / everyMs) % 3] : offsetMs;
Date.now = () => now() + offset();
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [Date.now()] : args));
  }
};

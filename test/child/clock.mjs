// Preloaded into a process whose clock is to be off: `CLOCK_OFFSET_MS` ahead, or behind when it is negative.
const offsetMs = Number(process.env.CLOCK_OFFSET_MS);
const now = Date.now;
Date.now = () => now() + offsetMs;
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [Date.now()] : args));
  }
};

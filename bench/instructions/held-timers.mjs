/**
 * Timers of the application fire by time, and a slow machine would count more of them. While they are held, those that
 * are due wait; afterwards they fire. Import it before whatever starts timers.
 */
let isHeld = false;
const due = [];

/** Lets no timer fire until `release`. */
export function hold() {
  isHeld = true;
}

export function release() {
  isHeld = false;
  for (const fire of due.splice(0)) fire();
}

for (const name of ['setTimeout', 'setInterval']) {
  const own = globalThis[name];
  const held = (callback, ...args) =>
    own((...values) => (isHeld ? void due.push(() => callback(...values)) : callback(...values)), ...args);
  globalThis[name] = Object.assign(held, own);
}

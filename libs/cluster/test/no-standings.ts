import type { StandingListener } from '../src/sessions/user-standings.js';

/** Clients whom no standing concerns. */
export const NO_STANDINGS: StandingListener = {
  judge: () => undefined,
  hold: () => undefined,
  release: () => undefined,
  newestOf: () => 0,
};

import { setPatience } from '../src/waiting/patience.js';

// Enough on a machine that is ten times as slow and busy; jest.config.mjs gives a test longer.
setPatience(20_000);

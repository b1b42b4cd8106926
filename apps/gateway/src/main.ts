import { StopSignals } from './process/stop-signals.js';

// Hears signals before anything else is loaded.
const signals = new StopSignals();
const { runNode } = await import('./process/run-node.js');
await runNode(process.env, signals);

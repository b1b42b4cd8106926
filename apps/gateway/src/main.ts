import { JsonOutput, wantsJson } from './process/json-output.js';
import { StopSignals } from './process/stop-signals.js';

// Hears signals, and makes all output JSON where it is asked for, before anything else is loaded.
const signals = new StopSignals();
const output = wantsJson(process.env) ? new JsonOutput() : undefined;
const { runNode } = await import('./process/run-node.js');
await runNode(process.env, { signals, output });

import { LOADS } from './loads.mjs';
import { Meter } from './meter.mjs';
import { WIRES } from './wires.mjs';

/** A process that makes the load of one run: it gets the run's plan, sends its figures or its failure, and ends. */
process.once('disconnect', () => process.exit());
process.once('message', async ({ workload, wire, ...plan }) => {
  const outcome = await LOADS[workload]({ ...plan, wire: WIRES[wire], meter: new Meter(plan) }).catch(
    (error) => ({ failure: error.message }),
  );
  process.send(outcome, () => process.exit());
});

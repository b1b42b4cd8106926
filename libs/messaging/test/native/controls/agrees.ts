import { expect } from '@jest/globals';
import { playEach, type Scenario } from './stage.js';

/** Plays the scenario under Nest's adapter and under ours; all must see the same. */
export async function agrees(scenario: Scenario): Promise<void> {
  const [nest, alone, beside] = await playEach(scenario);
  expect(nest.notes.length + nest.clients.flat().length).toBeGreaterThan(0);
  expect(alone).toEqual(nest);
  expect(beside).toEqual(nest);
}

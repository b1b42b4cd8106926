import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { writeSync } from 'node:fs';
import { newSeed, Random } from '@wss/testing';
import { Den } from './den.js';

/** `npm run chaos` asks for more. */
const VISITORS = process.env.CHAOS === 'long' ? 10_000 : 200;
/** The engine's delay while the visitors of one part come and go, ms for each way. */
const LATENCIES = [0, 0, 5, 40, 340];

describe.each(['memory', 'redis', 'redis cluster'] as const)('on %s', (engine) => {
  let den: Den;
  beforeAll(async () => {
    den = await Den.open(engine);
    Logger.overrideLogger(false);
  });
  afterAll(async () => {
    Logger.overrideLogger(['error', 'fatal']);
    await den?.stop();
  });

  it('R26 and R29: nothing of clients is left on the nodes or in the engine when they have gone', async () => {
    const seed = newSeed();
    // A cluster answers no later than one server, and its nodes do the same with more links.
    const visitors = engine === 'redis cluster' ? VISITORS / 5 : VISITORS;
    writeSync(process.stderr.fd, `nothing left on ${engine}: ${JSON.stringify({ seed, visitors })}\n`);
    const random = new Random(seed);
    for (const latencyMs of LATENCIES) {
      den.latencyMs = latencyMs;
      await den.visit(visitors / LATENCIES.length, random);
    }
    den.latencyMs = 0;
    await den.expectNothingLeft();
  }, 1_800_000);
});

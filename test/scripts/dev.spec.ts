import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { dirname } from 'node:path';
import { eventually, freePort, type ManagedProcess, newSeed, Random } from '@wss/testing';
import { type Served, TinyProject } from './tiny-project.js';

const EDITS = 8;
const WITHIN_MS = 40_000;

let project: TinyProject;
let dev: ManagedProcess;
let url: string;

beforeAll(async () => {
  project = new TinyProject();
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  dev = await project.start({ SERVER_PORT: String(port) });
});
afterAll(async () => {
  await dev?.stop(10_000);
  project?.remove();
});

/** Requests that found nobody: they are held while a node follows another. */
let refused = 0;
const engineFiles = new Set<string>();

it('npm run dev serves every edit, however it is made, at an address that always answers', async () => {
  const random = new Random(newSeed());
  const done = [`seed ${random.seed}`];
  const missed: string[] = [];
  await isServed(90_000);
  refused = 0;
  for (let i = 0; i < EDITS; i++) {
    done.push(project.edit(random));
    await isServed(WITHIN_MS).catch((error: Error) => {
      missed.push(`${done.at(-1)}: ${error.message}`);
      return undefined;
    });
    if (missed.length > 0) break;
  }
  if (missed.length > 0) throw new Error(`${missed.join('\n')}\n${done.join('\n')}\n${dev.output.tail()}`);
  expect(dev.ended).toBeUndefined();
  expect(refused).toBe(0);
  // Each node finds the data of the one before.
  expect(engineFiles.size).toBe(1);
  expect(dirname([...engineFiles][0]!)).toMatch(/\/build\/dev-[^/]+$/);
});

function isServed(withinMs: number): Promise<boolean> {
  return eventually(
    async () => {
      const response = await fetch(new URL('served', url)).catch(() => undefined);
      if (response?.status !== 200) refused++;
      if (!response) return false;
      const served = (await response.json()) as Served;
      engineFiles.add(served.engineFile);
      return project.isServed(served);
    },
    { withinMs },
  );
}

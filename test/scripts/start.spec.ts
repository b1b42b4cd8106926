import { afterEach, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, hermeticEnv, ManagedProcess } from '@wss/testing';

const SCRIPT = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url));
const WITHIN_MS = 100_000;

let script: ManagedProcess | undefined;
afterEach(() => script?.stop(20_000));

/** The lines that the script and its node write to stdout. */
const stdout = async (env: NodeJS.ProcessEnv): Promise<readonly string[]> => {
  const command = ['-c', 'exec "$0" "$1" 2>/dev/null', process.execPath, SCRIPT];
  script = await ManagedProcess.start('/bin/sh', command, { env: hermeticEnv(env) });
  await script.output.waitFor(/wss node \S+ is ready/, WITHIN_MS);
  return script.output.lines;
};

it.each<NodeJS.ProcessEnv>([{ LOG_FORMAT: 'json' }, { NODE_ENV: 'production', AUTH: 'none' }])(
  'leaves stdout to the lines of JSON that %j asks for',
  async (env) => {
    for (const line of await stdout(env)) expect(JSON.parse(line)).toHaveProperty('level');
  },
);

it('says on stdout what it does, where lines are for people', async () => {
  expect(await stdout({ NODE_ENV: 'production', LOG_FORMAT: 'text', AUTH: 'none' })).toContain(
    'wss: starting a node …',
  );
});

it('ends in order when it is stopped before its node hears signals', async () => {
  script = await ManagedProcess.start(process.execPath, [SCRIPT], { env: hermeticEnv({ AUTH: 'none' }) });
  const { pid } = script;
  const isThere = (): boolean => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') !== '';
  await eventually(isThere, { withinMs: WITHIN_MS, everyMs: 1 });
  script.signal('SIGTERM');
  expect(await script.exited).toEqual({ code: 0, signal: null });
});

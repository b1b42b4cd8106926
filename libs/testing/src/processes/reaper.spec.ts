import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { eventually } from '../waiting/eventually.js';
import { hermeticEnv, ManagedProcess } from './managed-process.js';
import { processState } from './process-state.js';
import { TemporaryFolder } from './temporary-folder.js';

/** Starts one process and makes one folder, gives up the process named in its arguments, and ends after its input. */
const SCRIPT = `
import { ManagedProcess } from './processes/managed-process.js';
import { reaper } from './processes/reaper.js';
import { TemporaryFolder } from './processes/temporary-folder.js';

const [idle, foreign] = [process.argv[2], Number(process.argv[3])];
reaper.watchProcess(foreign);
const { pid } = await ManagedProcess.start(process.execPath, ['-e', idle], { env: process.env });
const folder = new TemporaryFolder("it's a test");
reaper.releaseProcess(foreign);
console.log(JSON.stringify({ pid, folder: folder.path }));
process.stdin.resume();
`;
const IDLE = 'setInterval(() => undefined, 1_000)';
const sources = fileURLToPath(new URL('..', import.meta.url));

/** A run of its own, so that it can be killed: our sources as plain JavaScript. */
function compileInto(folder: string): void {
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    const { outputText } = ts.transpileModule(readFileSync(join(sources, name), 'utf8'), { compilerOptions });
    const compiled = join(folder, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(compiled), { recursive: true });
    writeFileSync(compiled, outputText);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'run.js'), SCRIPT);
}

/** Orphans stay zombies until the container's first process collects them, if it ever does. */
const lives = async (pid: number) => !['Z', undefined].includes(await processState(pid));

describe('a test run that ends without stopping what it started', () => {
  let folder: TemporaryFolder;
  let foreign: ChildProcess;
  beforeAll(() => {
    folder = new TemporaryFolder('reaper');
    compileInto(folder.path);
    foreign = spawn(process.execPath, ['-e', IDLE]);
  });
  afterAll(async () => {
    foreign.kill('SIGKILL');
    await once(foreign, 'exit');
    folder.remove();
  });

  it.each(['its end', 'SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'leaves nothing behind after %s',
    async (end) => {
      const args = [join(folder.path, 'run.js'), IDLE, String(foreign.pid)];
      const run = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
      const [line] = (await once(run.stdout, 'data')) as [Buffer];
      const started = JSON.parse(line.toString()) as { pid: number; folder: string };
      expect([await lives(started.pid), existsSync(started.folder)]).toEqual([true, true]);
      if (end === 'its end') run.stdin.end();
      else run.kill(end);
      expect(await text(run.stderr)).toContain(`without stopping processes: ${started.pid} `);
      await eventually(async () => {
        expect([await lives(started.pid), existsSync(started.folder)]).toEqual([false, false]);
      });
      expect(await lives(foreign.pid!)).toBe(true);
    },
  );
});

describe('ManagedProcess', () => {
  const start = (code: string) =>
    ManagedProcess.start(process.execPath, ['-e', code], { env: hermeticEnv() });

  it('tells how the process ended and keeps its output', async () => {
    const child = await start('console.log("one"); console.error("two"); process.exitCode = 3');
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect((await child.lastWords()).split('\n').sort()).toEqual(['one', 'two']);
    await expect(child.output.waitFor(/three/, 1_000)).rejects.toThrow(/the output ended\n(one|two)/);
  });

  it('stops a process that is paused, and kills one that does not obey', async () => {
    const paused = await start(IDLE);
    await paused.pause();
    expect(await paused.stop(5_000)).toEqual({ code: null, signal: 'SIGTERM' });
    const stubborn = await start(`process.on('SIGTERM', () => undefined); ${IDLE}; console.log('up')`);
    await stubborn.output.waitFor(/up/, 5_000);
    expect(await stubborn.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(stubborn.pause()).rejects.toThrow('has ended');
    expect(await stubborn.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('inherits nothing that would configure it', async () => {
    const child = await start('console.log(Object.keys(process.env).sort().join())');
    const [names] = await child.output.waitFor(/PATH/, 5_000).then((match) => [match.input]);
    for (const name of names!.split(',')) expect(['HOME', 'LC_ALL', 'PATH', 'TMPDIR']).toContain(name);
    await child.exited;
  });
});

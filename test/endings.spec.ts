import { beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { hermeticEnv } from '@wss/testing';

/** Runs Jest on the fixtures in one process; resolves when the run has ended by itself. */
async function run(): Promise<{ code: unknown; output: string }> {
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = ['node_modules/jest/bin/jest.js', '--runInBand'];
  const match = ['--testMatch', '**/test/fixtures/endings/*.ts'];
  const child = spawn(process.execPath, [...node, ...jest, ...match], {
    env: hermeticEnv({ CI: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[unknown]>,
  ]);
  return { code, output: out + errors };
}

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a run of tests that leaves things', () => {
  let code: unknown;
  let output = '';
  beforeAll(async () => {
    ({ code, output } = await run());
  });

  it('ends by itself, and fails', () => {
    expect(code).toBe(1);
    expect(output).toContain('3 total');
  });

  it('ends and names what a test started that failed half-way', () => {
    expect(output).toContain('half-way.ts left what it started; the run ended it:');
    for (const what of [
      'TcpProxy on port',
      'FeatureCluster,',
      'TestClient of ws://127.0.0.1',
      'redis-server',
    ]) {
      expect(output).toContain(what);
    }
    expect(output).toMatch(/FeatureCluster, started at .*half-way\.ts:\d+/);
    const [, ...pids] = /started processes: (\d+) (\d+)/.exec(output)!;
    expect(pids.map(Number).filter(lives)).toEqual([]);
    // Nothing was left for the reaper.
    expect(output).not.toContain('without stopping');
  });

  it('fails a spec that leaves something though its tests pass', () => {
    expect(output).toMatch(/forgetful\.ts left what it started/);
    expect(output).toMatch(/TcpProxy on port \d+, started at .*forgetful\.ts:\d+/);
  });

  it('names at the end what nobody entered', () => {
    const [, port] = /started a server: .*"port":(\d+)/.exec(output)!;
    const [line] = /the run ends without it: .*/.exec(output)!;
    expect(line.match(/on port \d+/g)).toEqual([`on port ${port}`]);
  });
});

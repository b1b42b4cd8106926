import { run } from './run.mjs';

/**
 * Runs Jest; tools/jest makes what the chosen specs need. Our terminal is Jest's, so that its watch mode works.
 * @returns its exit code
 */
export async function runJest(args) {
  const node = [process.execPath, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const { code } = await run([...node, 'node_modules/jest/bin/jest.js', ...args], { stdio: 'inherit' });
  return code;
}

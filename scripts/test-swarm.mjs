import { spawnSync } from 'node:child_process';
import { main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { runJest } from './lib/jest.mjs';
import { run } from './lib/run.mjs';

const STACK = 'wss-test';
/** For one step of a test: a rolling update takes minutes. */
const TIMEOUT_MS = 900_000;

/**
 * Tries the image and the stack on the Swarm that the `docker` command talks to, and removes them again. It must be a
 * Swarm of one node, because the images are in no registry. Further arguments are Jest's.
 *
 * DOCKER_BUILD_ARGS   what else `docker build` is told, e.g. `--network host`
 * SWARM_HOST          where published ports answer, default 127.0.0.1
 */
await main(async (args) => {
  const reason = missing();
  if (reason) return say(`skipped: ${reason}`);
  await ensureInstalled();
  try {
    for (const step of images()) {
      const { code } = await step();
      if (code !== 0) return code;
    }
    say('testing the stack; this takes about ten minutes …');
    const options = ['--runInBand', `--testTimeout=${TIMEOUT_MS}`, '--testMatch', '**/test/swarm/*.swarm.ts'];
    return await runJest([...args, ...options]);
  } finally {
    spawnSync('docker', ['stack', 'rm', STACK], { stdio: 'ignore' });
  }
});

/** @returns why the test can't run here, if it can't */
function missing() {
  const info = spawnSync(
    'docker',
    ['info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}'],
    {
      encoding: 'utf8',
    },
  );
  if (info.error) return 'there is no docker command.';
  if (info.status !== 0) return `no Docker engine answers (${info.stderr.trim()}).`;
  if (info.stdout.trim() !== 'active true')
    return 'the Docker engine is not a manager of a Swarm; docker swarm init makes it one.';
  return undefined;
}

/** The image, the same one as another release, and one that answers no health check. */
function images() {
  const more = (process.env.DOCKER_BUILD_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  return [
    () => run(['docker', 'build', ...more, '-t', `${STACK}:first`, '.']),
    () => derive('second', 'LABEL release=second'),
    () => derive('unhealthy', 'CMD ["node", "-e", "setInterval(() => undefined, 1000)"]'),
  ];
}

function derive(tag, line) {
  const input = `FROM ${STACK}:first\n${line}\n`;
  const stdio = ['pipe', 'ignore', 'inherit'];
  return { code: spawnSync('docker', ['build', '-t', `${STACK}:${tag}`, '-'], { input, stdio }).status };
}

import { resolve } from 'node:path';
import { main, say } from './lib/project.mjs';
import { hostsOf, urlOf } from './lib/addresses.mjs';
import { prepareFolder, removeFolder, removeOldBuilds } from './lib/build.mjs';
import { DevNode } from './lib/dev-node.mjs';
import { onEndRequest } from './lib/ending.mjs';
import { Front } from './lib/front.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { nodeEnvironment } from './lib/node.mjs';
import { portBlock, portOf } from './lib/ports.mjs';
import { Progress } from './lib/progress.mjs';
import { WatchCompiler } from './lib/watch-compiler.mjs';

/** Clients wait for the next node, so none has to be let go slowly. */
const QUICK_STOP = { DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0', SHUTDOWN_TIMEOUT_MS: '5000' };

/** One node that is replaced whenever the sources change, behind an address that stays. */
await main(async () => {
  portOf('SERVER_PORT');
  await ensureInstalled();
  await removeOldBuilds();
  const env = nodeEnvironment(QUICK_STOP);
  const port = await portBlock(1);
  const front = new Front();
  await front.listen(port, hostsOf(env));
  const folder = prepareFolder('dev');
  const url = urlOf(hostsOf(env)[0], port);
  const node = new DevNode({ folder, env: { ...keptIn(folder, env), ...env }, front, url });
  let compiling = new Progress('compiling; changes are watched');
  const compiled = () => (compiling = compiling?.end());
  // Heard before the compiler exists, so that no signal leaves it behind.
  onEndRequest(() => compiler.stop());
  const compiler = new WatchCompiler(folder, {
    onCompiled: () => (compiled(), node.restart()),
    onErrors: () => (compiled(), node.tellErrors()),
  });
  await compiler.exited;
  compiled();
  front.stopListening();
  await node.stop();
  front.close();
  removeFolder(folder);
  say('ended');
});

/** Keeps rooms and sessions from one node to the next, unless they are kept elsewhere; it goes with the folder. */
function keptIn(folder, { REDIS_SERVER, REDIS_SERVER_FILE, NODE_ENV }) {
  return REDIS_SERVER || REDIS_SERVER_FILE || NODE_ENV === 'production'
    ? {}
    : { ENGINE_FILE: resolve(folder, 'engine') };
}

import { leaveStdout, main, say } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { onEndRequest } from './lib/ending.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { GatewayNode, nodeEnvironment, writesJson } from './lib/node.mjs';

await main(async () => {
  if (writesJson(process.env)) leaveStdout();
  await ensureInstalled();
  await ensureBuilt();
  say('starting a node …');
  // Heard before the node exists, so that no signal leaves it behind.
  onEndRequest((signal) => node.signal(signal === 'SIGHUP' ? 'SIGTERM' : signal));
  const node = new GatewayNode(claimBuild(), nodeEnvironment());
  return node.exited;
});

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
  const node = new GatewayNode(claimBuild(), nodeEnvironment());
  onEndRequest((signal) => node.signal(signal === 'SIGHUP' ? 'SIGTERM' : signal));
  return node.exited;
});

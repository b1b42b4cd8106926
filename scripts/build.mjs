import { main, say } from './lib/project.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';

await main(async () => {
  await ensureInstalled();
  if (!(await ensureBuilt())) say('the build is as new as the sources');
});

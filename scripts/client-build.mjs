import { Failure, main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { withProgress } from './lib/progress.mjs';

/** Makes the SDK's package in libs/client/dist; `npm pack ./libs/client` packs it. */
await main(async () => {
  await ensureInstalled();
  const { buildClient, MOST_BYTES } = await import('./lib/client-package.mjs');
  const doing = 'making @wss/client; its short names take a minute or more';
  const bytes = await withProgress({ doing }, () => buildClient());
  if (bytes > MOST_BYTES) {
    const over = `the client weighs ${bytes} bytes after gzip, ${bytes - MOST_BYTES} too many.`;
    throw new Failure(over, 'make it smaller: libs/client/src is what every page of every user loads.');
  }
  say(`@wss/client is in libs/client/dist: ${bytes} bytes after gzip, of at most ${MOST_BYTES}`);
});

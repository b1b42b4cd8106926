import { join } from 'node:path';
import { bundle } from './bundle.mjs';

const PAGE = 'apps/gateway/src/page/browser';

/** Writes the demo page's script into a build. */
export function bundlePage(folder) {
  return bundle({ entryPoints: [join(PAGE, 'app.ts')], outfile: join(folder, PAGE, 'page.js') });
}

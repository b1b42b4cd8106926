import { main } from './lib/project.mjs';
import { bundlePage } from './lib/page-bundle.mjs';

/** Completes a build that "nest build" made by itself: `node scripts/page-build.mjs FOLDER`. */
await main(async ([folder]) => void (await bundlePage(folder)));

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '../../scripts/lib/project.mjs';
import { digest, filesBelow } from '../../scripts/lib/inputs.mjs';
import { withLock } from '../../scripts/lib/lock.mjs';
import { makePackages } from '../../scripts/lib/packages.mjs';

/** Not where `npm run packages` puts them: others may do that meanwhile. */
const ARCHIVES = 'build/app-packages';
/** The sources of the archives in the folder. */
const DIGEST = join(ARCHIVES, '.inputs');

/** Copies the archives of the packages into a folder; makes them first, unless those that are there are of these sources. */
await main(([target]) =>
  withLock('app-packages', async () => {
    const inputs = digest([
      'package-lock.json',
      'tsconfig.json',
      ...[...filesBelow('libs'), ...filesBelow('scripts/lib')].sort(),
    ]);
    if (!existsSync(DIGEST) || readFileSync(DIGEST, 'utf8') !== inputs) {
      await makePackages(ARCHIVES);
      writeFileSync(DIGEST, inputs);
    }
    mkdirSync(target, { recursive: true });
    for (const file of readdirSync(ARCHIVES).filter((name) => name.endsWith('.tgz')))
      copyFileSync(join(ARCHIVES, file), join(target, file));
  }),
);

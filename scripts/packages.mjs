import { main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';

/** Makes the packages @wss/client and @wss/nest as archives that npm installs, also where no registry is. */
await main(async () => {
  await ensureInstalled();
  const { makePackages } = await import('./lib/packages.mjs');
  for (const { name, archive, files, bytes } of await makePackages()) {
    const kilobytes = ({ packed, unpacked }) =>
      `${Math.ceil(packed / 1_000)} kB, unpacked ${Math.ceil(unpacked / 1_000)} kB`;
    say(`${name} is in ${archive}: ${files.size} files, ${kilobytes(bytes)}`);
  }
});

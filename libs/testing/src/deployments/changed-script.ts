import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LuaScript } from '@wss/redis';
import { TemporaryFolder } from '../processes/temporary-folder.js';

/** A piece of a script and its replacement. */
export type ScriptChange = readonly [from: string, to: string];

/** Copies a script with these places changed; each must stand there exactly once, so that no planted bug rots. */
export function changedScript<Reply>(
  script: LuaScript<Reply>,
  changes: readonly ScriptChange[],
): LuaScript<Reply> {
  let text = script.source;
  for (const [from, to] of changes) {
    if (text.split(from).length !== 2) throw new Error(`the script does not have this once: ${from}`);
    text = text.replace(from, () => to);
  }
  const folder = new TemporaryFolder('script');
  const file = join(folder.path, 'script.lua');
  writeFileSync(file, text);
  const copy = new LuaScript<Reply>(pathToFileURL(file));
  folder.remove();
  return copy;
}

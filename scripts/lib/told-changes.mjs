import { resolve, sep } from 'node:path';
import ts from 'typescript';

/**
 * Loaded into the compiler's process before it starts: there TypeScript hears of changes from the process that started
 * it (a SourceWatch), and from nobody else.
 */
const KINDS = {
  created: ts.FileWatcherEventKind.Created,
  changed: ts.FileWatcherEventKind.Changed,
  removed: ts.FileWatcherEventKind.Deleted,
};
const watches = new Set();

function add(watch) {
  watches.add(watch);
  return { close: () => watches.delete(watch) };
}

ts.sys.watchFile = (path, callback) => {
  const file = resolve(path);
  return add(({ path: changed, kind }) => changed === file && callback(path, KINDS[kind]));
};

ts.sys.watchDirectory = (path, callback, isRecursive) => {
  const below = resolve(path) + sep;
  return add(({ path: changed, kind }) => {
    if (kind === 'changed' || !changed.startsWith(below)) return;
    if (isRecursive || !changed.slice(below.length).includes(sep)) callback(changed);
  });
};

process.on('message', (changes) => {
  for (const { path, kind } of changes) {
    for (const watch of [...watches]) watch({ path: resolve(path), kind });
  }
});
process.on('disconnect', () => process.exit());

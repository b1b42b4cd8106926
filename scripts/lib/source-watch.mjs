import { statSync } from 'node:fs';
import { watchedFiles } from './inputs.mjs';

const LOOK_EVERY_MS = 300;

/**
 * Tells which sources are new, changed or removed, by looking at all of them again and again. The system's own watches
 * miss files and folders that were removed and made again, as git and some editors do; a look misses nothing.
 */
export class SourceWatch {
  /** @param onChanges called with [{ path, kind }], where `kind` is `created`, `changed` or `removed` */
  constructor(onChanges) {
    this.onChanges = onChanges;
    this.seen = look();
    this.timer = setInterval(() => this.compare(), LOOK_EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  compare() {
    const before = this.seen;
    const now = look();
    if (!now) return;
    this.seen = now;
    const present = [...now].filter(([path, stamp]) => before?.get(path) !== stamp);
    const removed = [...(before?.keys() ?? [])].filter((path) => !now.has(path));
    const changes = [
      ...present.map(([path]) => ({ path, kind: before?.has(path) ? 'changed' : 'created' })),
      ...removed.map((path) => ({ path, kind: 'removed' })),
    ];
    if (changes.length > 0) this.onChanges(changes);
  }
}

/** Each file with what changes when it does; undefined if a folder went away meanwhile: the next look tells more. */
function look() {
  try {
    return new Map(watchedFiles().flatMap((path) => stampOf(path)));
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The time of the last change (ctime) can't be set back, as the time of the contents can. */
function stampOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? [[path, `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`]] : [];
}

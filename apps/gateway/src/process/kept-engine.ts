import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Logger } from '@nestjs/common';
import { BadSnapshot, isSnapshot, MemoryEngine } from '@wss/state';

/**
 * The embedded engine of a node in development, and the file that keeps its data from a stop in order to the next
 * start.
 *
 * The file is taken away when it is read, and written when nothing can change any more. So after a crash there is none,
 * and the next start is a fresh one: it never goes back to data that clients have seen beyond.
 */
export class KeptEngine {
  /** @param path absent: nothing is kept */
  private constructor(
    readonly engine: MemoryEngine,
    private readonly path?: string,
  ) {}

  /**
   * Takes the file and its data; without a file, or with one that can't be used, the engine is empty. A file of another
   * kind is left alone. Never throws.
   */
  static open(path: string): KeptEngine {
    if (isForeign(path)) {
      tellFresh(`${path} is something else; it stays as it is, and nothing is kept: name a file of its own`);
      return new KeptEngine(new MemoryEngine());
    }
    const snapshot = take(path);
    return new KeptEngine((snapshot && restored(snapshot)) ?? new MemoryEngine(), path);
  }

  /** Writes the file, whole or not at all, at once. The process has to end in the same turn. Never throws. */
  keep(): void {
    if (this.path === undefined) return;
    const draft = `${this.path}.${process.pid}`;
    try {
      write(draft, this.engine.snapshot());
      renameSync(draft, this.path);
      sync(dirname(this.path));
    } catch (error) {
      remove(draft);
      logger.warn(`the data can't be kept, so the next start begins empty: ${(error as Error).message}`);
    }
  }
}

const logger = new Logger('Engine');

/** Longest beginning by which a snapshot is known, bytes. */
const BEGINNING = 128;

/** True for what somebody else has put there: to take it would destroy it. */
function isForeign(path: string): boolean {
  try {
    const stat = statSync(path);
    return !stat.isFile() || (stat.size > 0 && !isSnapshot(beginningOf(path)));
  } catch {
    // There is none, or reading it tells why not.
    return false;
  }
}

function beginningOf(path: string): Uint8Array {
  const bytes = Buffer.alloc(BEGINNING);
  const fd = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

/** Reads a file that nobody can read again afterwards. */
function take(path: string): Uint8Array | undefined {
  const taken = `${path}.${process.pid}.taken`;
  try {
    renameSync(path, taken);
    const bytes = readFileSync(taken);
    rmSync(taken);
    sync(dirname(path));
    return bytes;
  } catch (error) {
    remove(taken);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') tellFresh((error as Error).message);
    return undefined;
  }
}

function restored(snapshot: Uint8Array): MemoryEngine | undefined {
  try {
    const engine = MemoryEngine.restore(snapshot);
    const { size } = engine.rooms;
    logger.log(`the data of the last run are back: ${size} ${size === 1 ? 'room' : 'rooms'}`);
    return engine;
  } catch (error) {
    if (!(error instanceof BadSnapshot)) throw error;
    tellFresh(error.message);
    return undefined;
  }
}

function tellFresh(reason: string): void {
  logger.warn(`ENGINE_FILE can't be used, so this start begins empty: ${reason}`);
}

/** Sessions' secrets are in it, so nobody else may read it, nor have made it. */
function write(path: string, bytes: Uint8Array): void {
  remove(path);
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
  sync(path);
}

/** Never throws. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder is none.
  }
}

/** A rename or removal in a folder holds after a power cut too, once the folder is synced. */
function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entered } from '../lifetimes.js';
import { reaper } from './reaper.js';

/** A new empty folder of the system's temporary folder; it is removed at the latest when this process has ended. */
export class TemporaryFolder {
  readonly path: string;
  private readonly released: () => void;

  /** @param name goes into the path, so that a person can tell whose it is */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `wss-${name}-`));
    reaper.watchFolder(this.path);
    this.released = entered(`folder ${this.path}`, () => this.remove());
  }

  /** Removes the folder with all it holds; does nothing the second time. */
  remove(): void {
    this.released();
    rmSync(this.path, { recursive: true, force: true });
    reaper.releaseFolder(this.path);
  }
}

import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { completePage, NEST, settingsOf } from './build.mjs';
import { assetFiles, digest } from './inputs.mjs';
import { eachLine } from './lines.mjs';
import { ended, fit } from './run.mjs';

const ASSETS_EVERY_MS = 500;

/** Keeps a folder compiled: `nest build --watch` for TypeScript, a look at the times for everything that is copied. */
export class WatchCompiler {
  /**
   * @param onCompiled called whenever the folder is whole and free of type errors
   * @param onErrors called whenever there are type errors
   */
  constructor(folder, onCompiled, onErrors) {
    this.folder = folder;
    this.onCompiled = onCompiled;
    this.onErrors = onErrors;
    const args = [NEST, 'build', 'gateway', '--watch', '--preserveWatchOutput', '--path', settingsOf(folder)];
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.exited = ended(this.process);
    eachLine([this.process.stdout, this.process.stderr], (line) => this.read(line));
    this.assets = digest(assetFiles());
    this.timer = setInterval(() => this.copyChangedAssets(), ASSETS_EVERY_MS);
  }

  async stop() {
    clearInterval(this.timer);
    this.process.kill();
    await this.exited;
  }

  read(line) {
    const text = stripVTControlCharacters(line);
    if (text.trim() !== '') process.stdout.write(`${fit(line)}\n`);
    const [, errors] = /Found (\d+) errors?\. Watching/.exec(text) ?? [];
    if (errors === undefined) return;
    this.isSound = errors === '0';
    if (this.isSound) void this.complete();
    else this.onErrors();
  }

  async complete() {
    try {
      await completePage(this.folder);
      this.onCompiled();
    } catch {
      // The bundler has reported the error; the next change tries again.
    }
  }

  copyChangedAssets() {
    const files = assetFiles();
    const now = digest(files);
    if (now === this.assets) return;
    this.assets = now;
    for (const path of files) this.copy(path);
    if (this.isSound) void this.complete();
  }

  copy(path) {
    const target = join(this.folder, path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}

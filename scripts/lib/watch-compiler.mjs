import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { completePage, NEST, settingsOf } from './build.mjs';
import { isAsset, isPageScript } from './inputs.mjs';
import { eachLine } from './lines.mjs';
import { ended, show } from './run.mjs';
import { SourceWatch } from './source-watch.mjs';

/** Lets TypeScript hear of changes from us. */
const TOLD_CHANGES = ['--import', new URL('told-changes.mjs', import.meta.url).href];
/** Lines of the compiler that come at every change and say nothing new. */
const NOISE = /Starting (incremental )?compilation|Starting compilation in watch mode|Found 0 errors/;

/** Keeps a folder compiled: TypeScript by `nest build --watch`, everything that is copied or bundled by itself. */
export class WatchCompiler {
  /**
   * @param listener.onCompiled called whenever the folder is whole and free of type errors
   * @param listener.onErrors called whenever there are type errors
   */
  constructor(folder, listener) {
    this.folder = folder;
    this.listener = listener;
    this.completing = Promise.resolve();
    this.sources = new SourceWatch((changes) => this.take(changes));
    const args = [NEST, 'build', 'gateway', '--watch', '--preserveWatchOutput', '--path', settingsOf(folder)];
    this.process = spawn(process.execPath, [...TOLD_CHANGES, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.exited = ended(this.process);
    eachLine([this.process.stdout, this.process.stderr], (line) => this.read(line));
  }

  async stop() {
    this.sources.stop();
    this.process.kill();
    await this.exited;
    await this.completing;
  }

  take(changes) {
    const isCopied = changes.filter(({ path }) => isAsset(path)).map((change) => this.copy(change));
    if (this.process.connected) this.process.send(changes);
    if (isCopied.length > 0 || changes.some(({ path }) => isPageScript(path))) this.completeSoon();
  }

  read(line) {
    const text = stripVTControlCharacters(line);
    if (text.trim() !== '' && !NOISE.test(text)) show(`${line}\n`);
    const [, errors] = /Found (\d+) errors?\. Watching/.exec(text) ?? [];
    if (errors === undefined) return;
    this.isSound = errors === '0';
    if (this.isSound) this.completeSoon();
    else this.listener.onErrors();
  }

  /** One after the other: an older script of the page must not replace a newer one. */
  completeSoon() {
    const request = (this.latest = Symbol());
    this.completing = this.completing.then(() => request === this.latest && this.complete());
  }

  async complete() {
    if (!this.isSound) return;
    try {
      await completePage(this.folder);
      this.listener.onCompiled();
    } catch {
      // The bundler has reported the error; the next change tries again.
    }
  }

  copy({ path, kind }) {
    const target = join(this.folder, path);
    if (kind === 'removed') return rmSync(target, { force: true });
    mkdirSync(dirname(target), { recursive: true });
    try {
      copyFileSync(path, target);
    } catch (error) {
      // It has gone since; the next look tells so.
      if (error.code !== 'ENOENT') throw error;
    }
  }
}

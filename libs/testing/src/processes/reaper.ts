import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Reads "+ <pid>", "- <pid>" (processes) and "d <path>", "r <path>" (folders) line by line; at the end of its input
 * it kills and removes the rest. It reports last, since nobody may be there to read it.
 */
const SCRIPT = `
pids=' '
set --
while read -r verb what; do
  case $verb in
    +) pids="$pids$what " ;;
    -) case $pids in *" $what "*) pids="\${pids%% $what *} \${pids#* $what }" ;; esac ;;
    d) set -- "$@" "$what" ;;
    r) for folder; do shift; [ "$folder" = "$what" ] || set -- "$@" "$folder"; done ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done 2>/dev/null
for folder; do rm -rf "$folder"; done
[ "$pids$*" = ' ' ] || echo "@wss/testing: the run ended without stopping processes:$pids folders: $*" >&2
`;

/**
 * Cleans up behind a test run that ended without stopping what it had started, even one that was killed.
 *
 * A small shell process gets every process and folder and reads until our end of its pipe is closed, which the kernel
 * does however we die. A `process.on('exit')` hook can't do this: jest gives specs a copy of `process` whose events
 * never come. The shell has its own session, so Ctrl-C in a terminal does not end it first; it runs only while there
 * is something to watch.
 */
class Reaper {
  /** Ids of the processes that run and are ours. */
  readonly processes = new Set<number>();
  private readonly folders = new Set<string>();
  private shell?: ChildProcess;

  /** Kills this process of ours when we are gone, unless {@link releaseProcess} comes first. */
  watchProcess(pid: number): void {
    this.processes.add(pid);
    this.tell(`+ ${pid}`);
  }

  /** To be called when the process has ended: its id may soon be another one's. */
  releaseProcess(pid: number): void {
    this.processes.delete(pid);
    this.tell(`- ${pid}`);
    this.endIfIdle();
  }

  /** Removes this folder when we are gone, unless {@link releaseFolder} comes first. */
  watchFolder(path: string): void {
    this.folders.add(path);
    this.tell(`d ${path}`);
  }

  /** To be called when the folder was removed. */
  releaseFolder(path: string): void {
    this.folders.delete(path);
    this.tell(`r ${path}`);
    this.endIfIdle();
  }

  private tell(line: string): void {
    if (this.shell) {
      this.shell.stdin!.write(`${line}\n`);
    } else if (!this.isIdle) {
      this.shell = this.start();
      for (const pid of this.processes) this.tell(`+ ${pid}`);
      for (const path of this.folders) this.tell(`d ${path}`);
    }
  }

  private start(): ChildProcess {
    const shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
    const lost = (error?: Error) => {
      if (this.shell !== shell) return;
      this.shell = undefined;
      const why = error ? `: ${error.message}` : '';
      process.emitWarning(`processes that the tests started are no longer watched${why}`, {
        code: 'WSS_REAPER',
      });
    };
    shell.once('error', lost).once('exit', () => lost());
    shell.stdin!.on('error', lost);
    shell.unref();
    (shell.stdin as Socket).unref();
    return shell;
  }

  private get isIdle(): boolean {
    return this.processes.size === 0 && this.folders.size === 0;
  }

  private endIfIdle(): void {
    if (!this.isIdle) return;
    this.shell?.stdin!.end();
    this.shell = undefined;
  }
}

/** The one reaper of this process. */
export const reaper = new Reaper();

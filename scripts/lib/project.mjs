import { fileURLToPath } from 'node:url';

/** Importing this file moves into the repository and makes sure that Node is new enough. Import it first. */
process.chdir(fileURLToPath(new URL('../..', import.meta.url)));

const OLDEST_NODE = '20.19';

/** A failure that the user can mend; printed without a stack. */
export class Failure extends Error {
  constructor(message, remedy, exitCode = 1) {
    super(remedy ? `${message}\n  Remedy: ${remedy}` : message);
    this.exitCode = exitCode;
  }
}

let output = process.stdout;

/** Leaves stdout to another program, whose lines somebody reads: from now on we say everything on stderr. */
export function leaveStdout() {
  output = process.stderr;
}

/** Says a line; without `end` on a terminal, the next one takes its place. */
export function say(line, end = '\n') {
  erase();
  output.write(`wss: ${line}${end}`);
}

/** Empties the line that a terminal's cursor is in: there may be one that was to be replaced. */
export function erase() {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[2K');
}

/** Runs a script's body; a number it returns is the exit code, a Failure becomes a message. */
export async function main(body) {
  try {
    requireNode();
    process.exitCode = (await body(process.argv.slice(2))) ?? 0;
  } catch (error) {
    erase();
    process.stderr.write(`wss: ${error instanceof Failure ? error.message : explain(error)}\n`);
    process.exitCode = error.exitCode ?? 1;
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE.split('.').map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  const message = `Node ${process.versions.node} is too old, ${OLDEST_NODE} or newer is needed.`;
  throw new Failure(message, 'install a newer one from your package manager, nvm or https://nodejs.org.');
}

function explain(error) {
  const remedies = {
    EACCES: 'make the repository writable for you, or use a clone of your own.',
    EROFS: 'the file system is read-only: use a clone on a writable one.',
    ENOSPC: 'the disk is full: make room.',
  };
  const remedy = remedies[error?.code];
  return remedy ? `${error.message}\n  Remedy: ${remedy}` : (error?.stack ?? String(error));
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AsyncApiDocument } from '../async-api.js';
import { breakingChanges, describeChange } from '../compatibility/compatibility.js';
import type { AppContract } from '../contract.js';
import { readContract } from '../read-contract.js';
import { toTypeMap } from '../type-map.js';
import { fetchContract, type FetchedContract } from './fetch-contract.js';

/** The contract of a running node as files. */
export interface PullOptions {
  /** URL of the node, of its WebSocket, of its management port, or of the document itself. */
  readonly url: string;
  /** File of the types; the document is written beside it, as `.json`. A name with `.json`: the document alone. */
  readonly out: string;
  /** Token of the management port. Default none. */
  readonly token?: string;
  /** True: only compares, and writes nothing. */
  readonly check: boolean;
}

/** The result in words; `ok` is false when the files are not what the node has. */
export interface PullResult {
  readonly ok: boolean;
  readonly text: string;
}

/**
 * Writes the contract of a running node, or compares it with the files that are there.
 * @throws Error that says what is wrong: the node can't be asked, a file can't be read or written
 */
export async function pullContract({ url, out, token, check }: PullOptions): Promise<PullResult> {
  const fetched = await fetchContract(url, token);
  const files = filesOf(fetched, out);
  const broken = brokenBy(documentPath(out), fetched.contract);
  if (check) return compared(files, broken);
  for (const [path, text] of files) write(path, text);
  const note = broken === '' ? '' : `\nthis breaks code that was built with the files before:\n${broken}`;
  return { ok: true, text: `wrote ${[...files.keys()].join(' and ')}${note}` };
}

function compared(files: ReadonlyMap<string, string>, broken: string): PullResult {
  if (broken !== '') return { ok: false, text: `the node's contract breaks code built with the files:\n${broken}` };
  const stale = [...files].filter(([path, text]) => read(path) !== text).map(([path]) => path);
  if (stale.length === 0) return { ok: true, text: `the node has what is in ${[...files.keys()].join(' and ')}` };
  const missing = stale.filter((path) => !existsSync(path));
  return {
    ok: false,
    text:
      missing.length > 0
        ? `there is no ${missing.join(' and ')} yet: pull without --check`
        : `${stale.join(' and ')} ${stale.length === 1 ? 'is' : 'are'} not what the node has, which breaks nobody: pull again`,
  };
}

function documentPath(out: string): string {
  return out.endsWith('.json') ? out : `${out.replace(/(\.d)?\.[cm]?ts$/, '')}.json`;
}

function filesOf({ document, contract }: FetchedContract, out: string): ReadonlyMap<string, string> {
  const json = [documentPath(out), `${JSON.stringify(document, null, 2)}\n`] as const;
  return new Map(out.endsWith('.json') ? [json] : [[out, toTypeMap(contract, 'wss-contract pull')], json]);
}

/** Each break in a line; empty if there is none, or no file to compare with. */
function brokenBy(path: string, present: AppContract): string {
  const text = read(path);
  if (text === undefined) return '';
  const changes = breakingChanges(committedIn(path, text), present);
  return changes.map((change) => `  ${describeChange(change)}`).join('\n');
}

function committedIn(path: string, text: string): AppContract {
  try {
    return readContract(JSON.parse(text) as AsyncApiDocument);
  } catch (error) {
    throw new Error(`${path} is not a contract: remove it, or name another file with --out`, { cause: error });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Error(`${path} can't be read: ${code}`, { cause: error });
  }
}

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${path} can't be written: ${code}; name another file with --out`, { cause: error });
  }
}

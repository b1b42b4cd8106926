import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AsyncApiDocument, type AsyncApiInfo, toAsyncApi } from '../async-api.js';
import { breakingChanges, describeChange } from '../compatibility/compatibility.js';
import type { AppContract } from '../contract.js';
import { ContractExplorer } from '../exploring/contract-explorer.js';
import { readContract } from '../read-contract.js';
import { toTypeMap } from '../type-map.js';

/** Names of the files in the contract's folder. */
const DOCUMENT_FILE = 'asyncapi.json';
const TYPE_MAP_FILE = 'wss-contract.ts';

/** How the files of a contract are made. */
export interface ContractFileOptions {
  /** Title and version of the document. Default `contract`, `1.0.0`. */
  readonly info?: AsyncApiInfo;
  /** The command that writes them, for messages. Default `npm run contract`. */
  readonly command?: string;
}

const INFO: AsyncApiInfo = { title: 'contract', version: '1.0.0' };
const COMMAND = 'npm run contract';

/** The result of writing or checking, in words. */
export interface ContractResult {
  readonly ok: boolean;
  readonly text: string;
}

/** Writes the document and the SDK's type map, unless that would break clients and the break was not accepted. */
export function writeContract(
  explorer: ContractExplorer,
  folder: string,
  options: ContractFileOptions & { readonly acceptBreaking: boolean },
): ContractResult {
  const { acceptBreaking, command = COMMAND } = options;
  const unknown = unknownReplies(explorer);
  if (unknown) return unknown;
  const contract = explorer.contract();
  const broken = breakingText(committedIn(folder), contract);
  if (broken !== undefined && !acceptBreaking) {
    return {
      ok: false,
      text: `${broken}\nnothing was written. To break them on purpose: ${command} -- --accept-breaking`,
    };
  }
  const files = filesOf(contract, options);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  return {
    ok: true,
    text: `wrote ${[...files.keys()].map((name) => join(folder, name)).join(' and ')}`,
  };
}

/** Checks that the folder holds the present contract; if not, says what would break and what to do. */
export function checkContract(
  explorer: ContractExplorer,
  folder: string,
  options: ContractFileOptions = {},
): ContractResult {
  const { command = COMMAND } = options;
  const unknown = unknownReplies(explorer);
  if (unknown) return unknown;
  const contract = explorer.contract();
  const broken = breakingText(committedIn(folder), contract);
  if (broken !== undefined) {
    return {
      ok: false,
      text: `${broken}\nchange it back, add something new beside it, or accept it: ${command} -- --accept-breaking`,
    };
  }
  const stale = [...filesOf(contract, options)].filter(
    ([name, text]) => readIfThere(join(folder, name)) !== text,
  );
  if (stale.length === 0) return { ok: true, text: `the contract equals the files in ${folder}` };
  const names = stale.map(([name]) => join(folder, name)).join(' and ');
  return {
    ok: false,
    text: `${names} ${stale.length === 1 ? "is" : "are"} not what the code says, which breaks nobody: run "${command}" and commit the result`,
  };
}

function filesOf(contract: AppContract, { info = INFO }: ContractFileOptions): ReadonlyMap<string, string> {
  return new Map([
    [DOCUMENT_FILE, `${JSON.stringify(toAsyncApi(contract, info), null, 2)}\n`],
    [TYPE_MAP_FILE, toTypeMap(contract)],
  ]);
}

function unknownReplies(explorer: ContractExplorer): ContractResult | undefined {
  const names = explorer.unknownReplies();
  if (names.length === 0) return undefined;
  const list = names.map((name) => `  ${name}`).join('\n');
  return {
    ok: false,
    text: `the replies of these are unknown; put @Reply(<class>) on them, or @Reply(null) if they reply nothing:\n${list}`,
  };
}

function committedIn(folder: string): AppContract | undefined {
  const text = readIfThere(join(folder, DOCUMENT_FILE));
  return text === undefined ? undefined : readContract(JSON.parse(text) as AsyncApiDocument);
}

function breakingText(committed: AppContract | undefined, present: AppContract): string | undefined {
  const changes = committed ? breakingChanges(committed, present) : [];
  if (changes.length === 0) return undefined;
  return `the contract would break:\n${changes.map((change) => `  ${describeChange(change)}`).join('\n')}`;
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

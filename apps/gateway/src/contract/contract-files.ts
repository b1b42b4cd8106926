import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AsyncApiDocument,
  breakingChanges,
  type AppContract,
  ContractExplorer,
  describeChange,
  readContract,
  toAsyncApi,
  toTypeMap,
} from '@wss/nest/contract';
import { CONTRACT_INFO } from './contract-info.js';

/** Names of the files in the contract's folder. */
const DOCUMENT_FILE = 'asyncapi.json';
const TYPE_MAP_FILE = 'wss-contract.ts';

/** The result of writing or checking, in words. */
export interface ContractResult {
  readonly ok: boolean;
  readonly text: string;
}

/** Writes the document and the SDK's type map, unless that would break clients and the break was not accepted. */
export function writeContract(
  explorer: ContractExplorer,
  folder: string,
  { acceptBreaking }: { readonly acceptBreaking: boolean },
): ContractResult {
  const unknown = unknownReplies(explorer);
  if (unknown) return unknown;
  const contract = explorer.contract();
  const broken = breakingText(committedIn(folder), contract);
  if (broken !== undefined && !acceptBreaking) {
    return {
      ok: false,
      text: `${broken}\nnothing was written. To break them on purpose: npm run contract -- --accept-breaking`,
    };
  }
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of filesOf(contract)) writeFileSync(join(folder, name), text);
  return {
    ok: true,
    text: `wrote ${[...filesOf(contract).keys()].map((name) => join(folder, name)).join(' and ')}`,
  };
}

/** Checks that the folder holds the present contract; if not, says what would break and what to do. */
export function checkContract(explorer: ContractExplorer, folder: string): ContractResult {
  const unknown = unknownReplies(explorer);
  if (unknown) return unknown;
  const contract = explorer.contract();
  const broken = breakingText(committedIn(folder), contract);
  if (broken !== undefined) {
    return {
      ok: false,
      text: `${broken}\nchange it back, add something new beside it, or accept it: npm run contract -- --accept-breaking`,
    };
  }
  const stale = [...filesOf(contract)].filter(([name, text]) => readIfThere(join(folder, name)) !== text);
  if (stale.length === 0) return { ok: true, text: 'the contract equals the files in contract/' };
  const names = stale.map(([name]) => join(folder, name)).join(' and ');
  return {
    ok: false,
    text: `the code has more than ${names}: run "npm run contract" and commit the result`,
  };
}

function filesOf(contract: AppContract): ReadonlyMap<string, string> {
  return new Map([
    [DOCUMENT_FILE, `${JSON.stringify(toAsyncApi(contract, CONTRACT_INFO), null, 2)}\n`],
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

import { argv, stderr, stdout } from 'node:process';
import { type AsyncApiInfo } from '../async-api.js';
import { exploreContract, type RootModule } from '../exploring/explore-contract.js';
import { checkContract, type ContractResult, writeContract } from './contract-files.js';

/** How {@link runContractCommand} works. */
export interface ContractCommandOptions {
  /** Title and version of the document. Default `contract`, `1.0.0`. */
  readonly info?: AsyncApiInfo;
  /** Folder of the files. Default `contract`, in the working directory. */
  readonly folder?: string;
  /** `--check`, `--accept-breaking`. Default: those of the process. */
  readonly flags?: readonly string[];
  /** The command as messages name it. Default `npm run contract`. */
  readonly command?: string;
}

const FLAGS = ['--check', '--accept-breaking'];

/**
 * Writes an application's contract into a folder, or with `--check` compares it with the one there, without starting the
 * application. It tells the result on stdout or stderr.
 * @param root the application's root module
 * @returns the exit code: 0, or 1 when something is wrong. It is also set as `process.exitCode`.
 */
export async function runContractCommand(
  root: RootModule,
  options: ContractCommandOptions = {},
): Promise<number> {
  const { ok, text } = await resultOf(root, options).catch(failure);
  (ok ? stdout : stderr).write(`${text}\n`);
  process.exitCode = ok ? 0 : 1;
  return process.exitCode;
}

async function resultOf(
  root: RootModule,
  { flags = argv.slice(2), folder = 'contract', ...options }: ContractCommandOptions,
): Promise<ContractResult> {
  const unknown = flags.filter((flag) => flag !== '--' && !FLAGS.includes(flag));
  if (unknown.length > 0)
    return { ok: false, text: `unknown: ${unknown.join(' ')}; known are ${FLAGS.join(' and ')}` };
  const explorer = await exploreContract(root);
  return flags.includes('--check')
    ? checkContract(explorer, folder, options)
    : writeContract(explorer, folder, { ...options, acceptBreaking: flags.includes('--accept-breaking') });
}

function failure(error: unknown): ContractResult {
  return { ok: false, text: error instanceof Error ? error.message : String(error) };
}

import { readFileSync } from 'node:fs';
import { argv, env, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { pullContract, type PullOptions } from './pull-contract.js';

const USAGE = `Usage: wss-contract pull <url> [--out <file>] [--token-file <file>] [--check]

Writes the types of a running node's contract, for new WssClient<WssContract>(…), and its AsyncAPI document beside them.

  <url>         a node, its WebSocket or its management port, e.g. http://localhost:3000
  --out         file of the types; default wss-contract.ts, with the document in wss-contract.json.
                A name that ends with .json: the document alone
  --token-file  file with the token of the management port; default: the variable WSS_CONTRACT_TOKEN
  --check       writes nothing; exit code 1 if the files are not what the node has, with the changes that break callers
`;

/** The words after the command, or a number: how the process ends. */
function optionsOf(words: string[]): PullOptions | number {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'wss-contract.ts' },
      'token-file': { type: 'string' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 0;
  const [command, url] = positionals;
  if (command !== 'pull' || url === undefined || positionals.length > 2) return 2;
  const file = values['token-file'];
  const token = (file === undefined ? env.WSS_CONTRACT_TOKEN : tokenIn(file))?.trim();
  return { url, out: values.out, check: values.check, ...(token && { token }) };
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`--token-file ${file} can't be read (${code ?? message}): give a file with the token alone`, {
      cause: error,
    });
  }
}

async function main(): Promise<number> {
  const options = optionsOf(argv.slice(2));
  if (typeof options === 'number') {
    (options === 0 ? stdout : stderr).write(USAGE);
    return options;
  }
  const { ok, text } = await pullContract(options);
  (ok ? stdout : stderr).write(`${text}\n`);
  return ok ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  stderr.write(`wss-contract: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

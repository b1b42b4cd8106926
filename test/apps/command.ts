import { stripVTControlCharacters } from 'node:util';
import { hermeticEnv, ManagedProcess } from '@wss/testing';

/** How a command is run. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment; see {@link commandEnv}. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long it may take, milliseconds; default 300,000. */
  readonly withinMs?: number;
}

/** An ended command. */
export interface CommandResult {
  readonly code: number | null;
  /** Both output streams, the newest 5,000 lines. */
  readonly output: string;
}

/** Settings of npm and of the network that this process was given; npm needs them in other folders, too. */
const NETWORK =
  /^(?:https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_\w+|npm_config_\w*(?:registry|cache|cafile|proxy|userconfig|globalconfig))$/i;

const WITHIN_MS = 300_000;
const STOP_WITHIN_MS = 5_000;

/** The environment of commands in an application's folder: npm's own configuration, and nothing else of this run. */
export function commandEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const network = Object.entries(process.env).filter(([name]) => NETWORK.test(name));
  return hermeticEnv({ ...Object.fromEntries(network), CI: '1', NO_COLOR: '1', ...extra });
}

/** Runs a command to its end, however it ends. When the time is over it is stopped. */
export async function attempt(
  [command, ...args]: readonly [string, ...string[]],
  { cwd, env, withinMs = WITHIN_MS }: CommandOptions = {},
): Promise<CommandResult> {
  const started = await ManagedProcess.start(command, args, { cwd, env: commandEnv(env) });
  const timer = setTimeout(() => void started.stop(STOP_WITHIN_MS), withinMs);
  const { code } = await started.exited;
  clearTimeout(timer);
  await started.output.ended;
  return { code, output: stripVTControlCharacters(started.output.lines.join('\n')) };
}

/**
 * Runs a command that must succeed.
 * @returns its output
 * @throws Error with the output when it fails or takes too long
 */
export async function run(
  command: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<string> {
  const { code, output } = await attempt(command, options);
  if (code === 0) return output;
  throw new Error(`${command.join(' ')} ended with ${code}:\n${output}`);
}

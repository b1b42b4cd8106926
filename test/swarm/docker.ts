import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** Options of a Docker command. */
export interface DockerOptions {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard input. */
  readonly input?: string;
}

/**
 * Runs a Docker command to its end and returns its output, without the white space around it.
 * @throws Error with what it printed on stderr, when it fails
 */
export async function docker(
  args: readonly string[],
  { env = {}, input = '' }: DockerOptions = {},
): Promise<string> {
  const child = spawn('docker', args, { env: { ...process.env, ...env } });
  // A command that ends before it has read shows by its code if it failed.
  child.stdin.on('error', () => undefined).end(input);
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [output, errors, exit] = await Promise.all([text(child.stdout), text(child.stderr), code]);
  if (exit !== 0) throw new Error(`docker ${args.join(' ')} ended with ${exit}: ${errors.trim()}`);
  return output.trim();
}

/** Like {@link docker}: its output, line by line. */
export async function dockerLines(args: readonly string[]): Promise<string[]> {
  const output = await docker(args);
  return output === '' ? [] : output.split('\n');
}

/** A command that has printed its first line, and waits for the end of its input. */
export interface Talk {
  readonly line: string;
  /** Ends its input, and resolves when it has ended. */
  end(): Promise<void>;
}

/**
 * Runs a command of Docker until it has printed a line.
 * @throws Error with what it printed on stderr, when it ends first
 */
export async function dockerTalk(args: readonly string[]): Promise<Talk> {
  const child = spawn('docker', args);
  const closed = once(child, 'close');
  const errors = text(child.stderr);
  for await (const line of createInterface(child.stdout)) {
    const end = async (): Promise<void> => {
      child.stdin.end();
      await closed;
    };
    return { line, end };
  }
  throw new Error(`docker ended without a line: ${(await errors).trim()}`);
}

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { erase, Failure } from './project.mjs';

/** The signals that ask us to end. */
export const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** npm as a command line; through `npm_execpath` where npm runs us, which needs no shell anywhere. */
export function npm(...args) {
  const path = process.env.npm_execpath ?? '';
  return path.endsWith('npm-cli.js') ? [process.execPath, path, ...args] : ['npm', ...args];
}

/**
 * Runs a command to its end, in the foreground: a signal that ends us ends it first.
 * @param isQuiet does not show its output
 * @returns its exit code, its `errors` (stderr), and if it is quiet its whole `output`
 */
export async function run([command, ...args], { isQuiet = false, ...options } = {}) {
  const stdout = isQuiet ? 'pipe' : 'inherit';
  const child = spawn(command, args, { stdio: ['inherit', stdout, 'pipe'], ...options });
  const output = collect(child.stdout, isQuiet);
  const errors = collect(child.stderr, isQuiet);
  const signals = passSignals(child);
  try {
    const code = await ended(child);
    if (signals.seen)
      throw new Failure(`stopped by ${signals.seen}`, undefined, 128 + constants.signals[signals.seen]);
    return { code, errors: errors(), output: output() + errors() };
  } finally {
    signals.release();
  }
}

/** @returns the exit code as a shell has it: 128 + n when signal n ended the process */
export function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(cannotStart(child, error)));
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/** Fits text to our output: without colors when that is not a terminal. */
export function fit(text) {
  return process.stdout.isTTY ? text : stripVTControlCharacters(text);
}

function collect(stream, isQuiet) {
  let text = '';
  stream?.setEncoding('utf8').on('data', (part) => {
    text += part;
    if (!isQuiet) show(part);
  });
  return () => text;
}

/** Shows what a command had to say. */
export function show(text) {
  erase();
  process.stderr.write(fit(text));
}

function passSignals(child) {
  const pass = (signal) => {
    signals.seen = signal;
    child.kill(signal);
  };
  const signals = { seen: undefined, release: () => ENDING.forEach((signal) => process.off(signal, pass)) };
  for (const signal of ENDING) process.on(signal, pass);
  return signals;
}

function cannotStart(child, error) {
  if (error.code !== 'ENOENT') return error;
  return new Failure(`${child.spawnfile} is not installed.`, `install it, or add its folder to PATH.`);
}

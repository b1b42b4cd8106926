import type { ManagedProcess } from '@wss/testing';
import { type Application, listens } from './application.js';
import type { CodeBlock } from './document.js';

/** Ports, addresses and folders of the document, and those that take their places. */
export type Replacements = Readonly<Record<string, string>>;

/** A line that ran: its output, or the process that goes on. */
export interface PlayedLine {
  readonly line: string;
  readonly output?: string;
  readonly process?: ManagedProcess;
}

const LISTENS = /\bPORT=(\d+) .*node dist\/main$/;
const CURL = /^curl -d (\S+) (\S+)$/;

/** A reader who copies the shell blocks of a document, line by line; a line that ends with `&` goes on. */
export class Terminal {
  constructor(
    private readonly app: Application,
    private readonly replacements: Replacements,
  ) {}

  /** @throws Error with the output when a line fails, or a server does not start */
  async play({ text }: CodeBlock): Promise<PlayedLine[]> {
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const played: PlayedLine[] = [];
    for (const line of lines) played.push(await this.enter(this.replaced(line)));
    return played;
  }

  private async enter(line: string): Promise<PlayedLine> {
    if (line.endsWith('&')) return { line, process: await this.start(line.slice(0, -1).trim()) };
    const [, body, url] = CURL.exec(line) ?? [];
    const output = url ? await post(url, body!) : await this.app.run(['bash', '-euc', line]);
    return { line, output };
  }

  /** The shell's place is taken by the program, so that a signal reaches it. */
  private async start(line: string): Promise<ManagedProcess> {
    const process = await this.app.launch(['bash', '-euc', `exec env ${line}`]);
    const port = LISTENS.exec(line)?.[1];
    if (port !== undefined) await listens(process, Number(port));
    return process;
  }

  private replaced(line: string): string {
    return Object.entries(this.replacements).reduce((text, [from, to]) => text.replaceAll(from, to), line);
  }
}

/** Not every machine has curl. */
async function post(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return text;
}

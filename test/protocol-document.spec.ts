import { expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { CLOSE_CODES, ERROR_CODES } from '@wss/protocol';

const file = new URL('../PROTOCOL.md', import.meta.url);
const yes = (value: boolean): string => (value ? 'yes' : '');

const tables = {
  errors: [
    '| code | meaning | retry | consumes n |',
    '|---|---|---|---|',
    ...Object.entries(ERROR_CODES).map(
      ([code, { meaning, retry, consumesN }]) =>
        `| \`${code}\` | ${meaning} | ${yes(retry)} | ${yes(consumesN)} |`,
    ),
  ],
  close: [
    '| code | reason | reconnect |',
    '|---|---|---|',
    ...Object.entries(CLOSE_CODES).map(
      ([code, { reason, reconnect }]) => `| ${code} | ${reason} | ${yes(reconnect)} |`,
    ),
  ],
};

it('has the tables of the code', () => {
  const text = readFileSync(file, 'utf8');
  let expected = text;
  for (const [name, rows] of Object.entries(tables)) {
    const [begin, end] = [`<!-- ${name}:begin -->\n`, `<!-- ${name}:end -->`];
    const from = expected.indexOf(begin) + begin.length;
    expected = `${expected.slice(0, from)}\n${rows.join('\n')}\n\n${expected.slice(expected.indexOf(end))}`;
  }
  if (process.env.UPDATE_DOCS) writeFileSync(file, expected);
  else expect(text).toBe(expected);
});

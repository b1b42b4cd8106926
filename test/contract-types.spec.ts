import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const PREAMBLE = `
import { WssClient } from '@wss/client';
import type { WssContract } from '../contract/wss-contract.js';
const client = new WssClient<WssContract>('ws://localhost/');
const board = client.room('board:1');
const chat = client.room('chat:lobby');
`;

/** Code that the compiler must take. */
const RIGHT: Record<string, string> = {
  'a command and its reply': `const { text } = await client.command('echo.say', { text: 'hi' }); text.length;`,
  'a command in a room': `const { card } = await board.command('board.add-card', { title: 'x' }); card.length;`,
  'a command without data': `const { value, version } = await client.room('counter:1').command('counter.read', {}); value + version;`,
  'a reply without data': `const nothing: null = await chat.command('chat.typing', {});`,
  'an event and its data': `chat.on('chat.sent', ({ data }) => data.text.length + data.at);`,
  'a volatile event': `chat.on('chat.typing', ({ data }) => data.user.length);`,
  'a document': `board.state('board').subscribe(({ cards }) => cards.map(({ title }) => title.length));`,
};

/** Code that the compiler must refuse, with the subject of its message. */
const WRONG: Record<string, readonly [code: string, about: RegExp]> = {
  'an unknown command': [`client.command('echo.shout', { text: 'hi' });`, /"echo.shout"/],
  'an unknown command in a room': [`board.command('board.paint', {});`, /"board.paint"/],
  'a command of another kind of room': [
    `chat.command('board.add-card', { title: 'x' });`,
    /"board.add-card"/,
  ],
  'a room command outside of rooms': [`client.command('chat.send', { text: 'x' });`, /"chat.send"/],
  'data of the wrong type': [`client.command('echo.say', { text: 5 });`, /number.*string/],
  'a missing field': [`board.command('board.move-card', { card: 'x' });`, /to/],
  'a field too many': [`board.command('board.add-card', { title: 'x', colour: 'red' });`, /colour/],
  'data where there is none': [`chat.command('chat.typing', { text: 'x' });`, /never/],
  'a reply field that is not there': [`(await board.command('board.add-card', { title: 'x' })).id;`, /'id'/],
  'a reply of the wrong type': [
    `const text: string = (await chat.command('chat.send', { text: 'x' })).seq;`,
    /number.*string/,
  ],
  'an unknown event': [`chat.on('chat.shouted', () => undefined);`, /"chat.shouted"/],
  'an event of another kind of room': [`chat.on('board.card-added', () => undefined);`, /"board.card-added"/],
  'an event field that is not there': [`chat.on('chat.sent', ({ data }) => data.body);`, /'body'/],
  'an unknown kind of room': [`client.room('wiki:1');`, /"wiki:1"/],
  'an unknown document': [`board.state('canvas');`, /"canvas"/],
  'a document of another kind of room': [`chat.state('board');`, /"board"/],
  'a document field that is not there': [`board.state('board').subscribe(({ lists }) => lists);`, /lists/],
  'a change of a document': [
    `board.state('board').subscribe((value) => { value.cards = []; });`,
    /read-only/,
  ],
  'an event outside of rooms that nobody declared': [
    `client.on('news.posted', () => undefined);`,
    /"news.posted"/,
  ],
};

const sources = new Map(
  [...Object.entries(RIGHT), ...Object.entries(WRONG).map(([name, [code]]) => [name, code] as const)].map(
    ([name, code], index) => [
      name,
      { file: join(root, `test/snippet-${index}.ts`), code: `${PREAMBLE}${code}\nexport {};\n` },
    ],
  ),
);

/** The compiler's messages about each snippet; all are compiled at once. */
function compile(): Map<string, string[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const texts = new Map([...sources.values()].map(({ file, code }) => [file, code]));
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => texts.get(path) ?? readFile.call(host, path);
  host.fileExists = (path) => texts.has(path) || fileExists.call(host, path);
  host.getSourceFile = (path, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, text, ...(rest.slice(0, 1) as [ts.ScriptTarget]));
  };
  const program = ts.createProgram([...texts.keys()], { ...options, noEmit: true }, host);
  return new Map(
    [...sources].map(([name, { file }]) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}

describe('the type map of the contract', () => {
  const messages = compile();

  it.each(Object.keys(RIGHT))('takes %s', (name) => {
    expect(messages.get(name)).toEqual([]);
  });

  it.each(Object.entries(WRONG).map(([name, [, about]]) => [name, about] as const))(
    'refuses %s',
    (name, about) => {
      const found = messages.get(name)!;
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(about);
    },
  );
});

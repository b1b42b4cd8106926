import { createHash } from 'node:crypto';
import type { CommandContract, AppContract, DocumentContract, EventContract, RoomContract } from '../contract.js';
import { type JsonSchema, refName, resolve, type Schemas } from '../json-schema.js';
import { typeOf } from '../schema-types.js';
import { limitText, membersText } from '../limit-texts.js';
import { exampleOf } from './example.js';
import { SCRIPT } from './page-script.js';
import { STYLE } from './page-style.js';
import { SYSTEM_EVENTS, type SystemEvent } from './system-events.js';

/** How the page looks. */
export interface PageOptions {
  readonly title: string;
  /**
   * Path of the WebSocket, e.g. `/live`: the page has a form for each command, which sends it to this node. Only where
   * everybody may connect. Default: no forms.
   */
  readonly tryAt?: string;
}

/** The page and what a browser may do on it. */
export interface ContractPage {
  readonly html: string;
  /** Value of the header `Content-Security-Policy`. */
  readonly policy: string;
}

/** Renders the contract as one self-contained HTML page: nothing is loaded from elsewhere, all texts are escaped. */
export function toPage(contract: AppContract, options: PageOptions): ContractPage {
  return { html: new PageWriter(contract, options).page(), policy: policyFor(options.tryAt !== undefined) };
}

function policyFor(connects: boolean): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const rules = [
    "default-src 'none'",
    `script-src ${hash(SCRIPT)}`,
    `style-src ${hash(STYLE)}`,
    'img-src data:',
    `connect-src ${connects ? "'self' ws: wss:" : "'none'"}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ];
  return rules.join('; ');
}

class PageWriter {
  private readonly schemas: Schemas;

  constructor(
    private readonly contract: AppContract,
    private readonly options: PageOptions,
  ) {
    this.schemas = contract.schemas;
  }

  page(): string {
    const { title, tryAt } = this.options;
    const socket = tryAt === undefined ? '' : ` data-socket="${escape(tryAt)}"`;
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: contract</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body${socket}>
<header>
<div class="brand">${LOGO}<div><h1>${escape(title)}</h1>
<p class="hint">What clients may send and what they get, from the server’s code. <a href="asyncapi.json">AsyncAPI 3 document</a></p></div></div>
<input id="search" type="search" placeholder="Search …" aria-label="Search" autocomplete="off">
</header>
<div class="columns">
<main>
<p id="none" class="hint" role="status" hidden>Nothing here has all of these words.</p>
${this.sections().join('\n')}
</main>
${tryAt === undefined ? '' : ASIDE}
</div>
<script>${SCRIPT}</script>
</body>
</html>
`;
  }

  private sections(): string[] {
    const { commands, events, rooms } = this.contract;
    const system = SYSTEM_EVENTS.map((event) => this.system(event));
    const types = Object.entries(this.schemas).map(([name, schema]) => this.type(name, schema));
    return [
      section('Outside of rooms', this.parts({ commands, events, documents: [] })),
      ...rooms.map((room) =>
        section(`Rooms ${room.type}:<key>`, this.parts(room, room.type), membersNote(room)),
      ),
      section('Of every server', system),
      section('Types', types),
    ].filter((text) => text !== '');
  }

  private parts(
    { commands, events, documents }: Pick<RoomContract, 'commands' | 'events' | 'documents'>,
    room?: string,
  ): string[] {
    return [
      ...commands.map((command) => this.command(command, room)),
      ...events.map((event) => this.event(event)),
      ...documents.map((document) => this.document(document)),
    ];
  }

  private command({ event, data, reply, limits = [] }: CommandContract, room?: string): string {
    const parts = [
      ['data', typeLink(data)],
      ['reply', reply ? typeLink(reply) : '<i>not declared</i>'],
      ...limits.map((limit) => ['limit', escape(limitText(limit))] as const),
    ] as const;
    const example = exampleOf(data, this.schemas);
    const form =
      this.options.tryAt === undefined
        ? exampleBlock(example)
        : this.form({ event, example, key: room === undefined ? undefined : 'demo', room });
    return item('command', event, `${this.text(data)}${list(parts)}${form}`);
  }

  private event({ event, data, volatile }: EventContract): string {
    const example = exampleBlock(exampleOf(data, this.schemas));
    const body = `${this.text(data)}${list([['data', typeLink(data)]])}${example}`;
    return item(volatile ? 'volatile' : 'event', event, body);
  }

  private document({ name, value }: DocumentContract): string {
    const example = exampleBlock(exampleOf(value, this.schemas));
    return item('document', name, `${this.text(value)}${list([['value', typeLink(value)]])}${example}`);
  }

  private system({ event, from, text, example, inRoom }: SystemEvent): string {
    const isTried = this.options.tryAt !== undefined && from === 'client' && !['$skip', '$auth'].includes(event);
    const key = inRoom ? `${this.contract.rooms[0]?.type ?? 'room'}:demo` : undefined;
    const body = isTried ? this.form({ event, example, key }) : exampleBlock(example);
    return item(from === 'client' ? 'command' : 'event', event, `${comment(text)}${body}`);
  }

  /** A form that sends a command; the room is named by its key, or as a whole where its kind is open. */
  private form({ event, example, key, room }: TrialForm): string {
    const kind = room === undefined ? '' : ` data-room="${escape(room)}"`;
    const text = JSON.stringify(example, null, 2);
    const label = room === undefined ? 'Room' : `${room}:`;
    const field = `<label class="line"><span class="hint">${escape(label)}</span> <input class="key" value="${escape(key ?? '')}" aria-label="${room === undefined ? 'Room' : 'Key of the room'}" required></label>`;
    return `<form class="try" data-event="${escape(event)}"${kind}>
${key === undefined ? '' : field}
<textarea rows="${Math.min(10, text.split('\n').length)}" aria-label="Data of ${escape(event)}" spellcheck="false">${escape(text)}</textarea>
<div class="line"><button class="primary">Send</button></div><output></output></form>`;
  }

  private type(name: string, schema: JsonSchema): string {
    return `<article class="item" id="${anchor(name)}"><div class="title"><h3>${escape(name)}</h3></div>${comment(schema.description)}${fields(schema)}</article>`;
  }

  /** The doc comment of the class. */
  private text(schema: JsonSchema): string {
    return comment(resolve(schema, this.schemas).description);
  }
}

interface TrialForm {
  readonly event: string;
  readonly example: unknown;
  readonly key: string | undefined;
  readonly room?: string | undefined;
}

/** That of the demo page. */
const LOGO =
  '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d="M16 7 7 23h18z"/><circle cx="16" cy="7" r="4.5"/><circle cx="7" cy="23.5" r="4.5"/><circle cx="25" cy="23.5" r="4.5"/></svg>';

const ASIDE = `<aside aria-label="Connection">
<div class="head"><h2>Live</h2><p id="status" class="status" role="status"><span class="light" aria-hidden="true"></span><span id="status-text">not connected</span></p></div>
<div class="line"><label for="user" class="hint">You are</label><input id="user" value="ann" maxlength="64" autocomplete="off"><button id="clear" type="button">Clear</button></div>
<ol id="frames" tabindex="0" aria-label="Frames"></ol>
</aside>`;

function membersNote({ maxMembers }: RoomContract): string {
  return maxMembers === undefined ? '' : `<p class="hint">${escape(membersText(maxMembers))}</p>`;
}

function section(title: string, items: readonly string[], note = ''): string {
  if (items.length === 0 && note === '') return '';
  return `<section><h2>${escape(title)}</h2>${note}<div class="items">${items.join('\n')}</div></section>`;
}

function item(kind: string, name: string, body: string): string {
  return `<article class="item"><div class="title"><h3><code>${escape(name)}</code></h3><span class="kind ${kind}">${kind}</span></div>${body}</article>`;
}

/** A doc comment; what it has between backticks is code. */
function comment(text: string | undefined): string {
  return text === undefined ? '' : `<p class="text">${prose(text)}</p>`;
}

function prose(text: string): string {
  return escape(text).replace(/`([^`\n]+)`/g, '<code>$1</code>');
}

function list(parts: readonly (readonly [name: string, html: string])[]): string {
  return `<dl class="parts">${parts.map(([name, html]) => `<dt>${name}</dt><dd>${html}</dd>`).join('')}</dl>`;
}

function exampleBlock(example: unknown): string {
  return `<details><summary>Example</summary><pre>${escape(JSON.stringify(example, null, 2))}</pre></details>`;
}

function fields(schema: JsonSchema): string {
  const { properties, required = [] } = schema;
  if (!properties) return `<p>${typeLink(schema)}</p>`;
  const items = Object.entries(properties).map(([name, field]) => {
    const mark = required.includes(name) ? '' : ' <span class="hint">optional</span>';
    const rules = rulesOf(field);
    const text = rules.length > 0 ? ` <span class="rules">${prose(rules.join(', '))}</span>` : '';
    return `<dt><code>${escape(name)}</code>${mark}</dt><dd>${typeLink(field)}${text}</dd>`;
  });
  return items.length === 0 ? '<p class="hint">no fields</p>' : `<dl class="fields">${items.join('')}</dl>`;
}

const NO_RULES = new Set([
  ...['$ref', 'type', 'enum', 'const', 'items', 'properties', 'required', 'anyOf', 'oneOf', 'allOf'],
  ...['additionalProperties', 'discriminator', '$comment'],
]);

/** Rules beyond the type, in words. */
function rulesOf(schema: JsonSchema): string[] {
  const own = Object.entries(schema)
    .filter(([keyword]) => !NO_RULES.has(keyword))
    .map(([keyword, value]) =>
      keyword === 'description'
        ? String(value)
        : `${keyword} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    );
  const each = schema.items ? rulesOf(schema.items).map((rule) => `each: ${rule}`) : [];
  return [...own, ...each];
}

/** A type as text, with links to named ones. */
function typeLink(schema: JsonSchema): string {
  const name = refName(schema);
  if (name !== undefined) return link(name);
  if (schema.items && refName(schema.items) !== undefined) return `${link(refName(schema.items)!)}<code>[]</code>`;
  const members = schema.anyOf ?? schema.oneOf;
  if (members && schema.type === undefined) return members.map(typeLink).join(' or ');
  const text =
    schema.type === 'integer' ? 'integer' : typeOf(schema, (ref) => ref).replaceAll('readonly ', '');
  return `<code>${escape(text)}</code>`;
}

function link(name: string): string {
  return `<a href="#${anchor(name)}"><code>${escape(name)}</code></a>`;
}

function anchor(name: string): string {
  return `type-${encodeURIComponent(name).replaceAll("'", '%27')}`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

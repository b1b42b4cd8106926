import type { CommandContract, AppContract, EventContract, RoomContract } from '../contract.js';
import { type JsonSchema, refName, type Schemas } from '../json-schema.js';
import { typeOf } from '../schema-types.js';

/** Renders the contract as one self-contained HTML page. */
export function toPage(contract: AppContract, title: string): string {
  const { commands, events, rooms, schemas } = contract;
  const sections = [
    section('Outside of rooms', { commands, events, documents: [] }),
    ...rooms.map((room) => section(`Rooms ${room.type}:<key>`, room)),
    types(schemas),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: contract</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>The commands that clients may send and the events that they get, generated from the server's code.
<a href="asyncapi.json">AsyncAPI 3 document</a></p>
</header>
<main>
${sections.filter((text) => text !== '').join('\n')}
</main>
</body>
</html>
`;
}

function section(
  title: string,
  { commands, events, documents }: Pick<RoomContract, 'commands' | 'events' | 'documents'>,
): string {
  const rows = [
    ...commands.map(commandRow),
    ...events.map(eventRow),
    ...documents.map(({ name, value }) => row('document', name, typeLink(value))),
  ];
  if (rows.length === 0) return '';
  return `<section>
<h2>${escape(title)}</h2>
<div class="scroll"><table>
<thead><tr><th></th><th>Name</th><th>Data</th><th>Reply</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
</section>`;
}

function commandRow({ event, data, reply }: CommandContract): string {
  return row('command', event, typeLink(data), reply ? typeLink(reply) : '<i>not declared</i>');
}

function eventRow({ event, data, volatile }: EventContract): string {
  return row(volatile ? 'volatile' : 'event', event, typeLink(data));
}

function row(kind: string, name: string, data: string, reply = ''): string {
  return `<tr><td><span class="kind ${kind}">${kind}</span></td><td><code>${escape(name)}</code></td><td>${data}</td><td>${reply}</td></tr>`;
}

function types(schemas: Schemas): string {
  const named = Object.entries(schemas).map(
    ([name, schema]) => `<article id="${anchor(name)}"><h3>${escape(name)}</h3>${fields(schema)}</article>`,
  );
  return named.length === 0
    ? ''
    : `<section><h2>Types</h2><div class="types">${named.join('\n')}</div></section>`;
}

function fields({ properties = {}, required = [] }: JsonSchema): string {
  const items = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : ' <i>optional</i>';
    const rules = rulesOf(schema);
    const text = rules.length > 0 ? `<span class="rules">${escape(rules.join(', '))}</span>` : '';
    return `<dt><code>${escape(name)}</code>${mark}</dt><dd>${typeLink(schema)} ${text}</dd>`;
  });
  return items.length === 0 ? '<p>no fields</p>' : `<dl>${items.join('')}</dl>`;
}

/** Rules beyond the type, in words. */
function rulesOf(schema: JsonSchema): string[] {
  const skipped = new Set(['$ref', 'type', 'enum', 'items', 'properties', 'required', 'anyOf', 'oneOf']);
  const own = Object.entries(schema)
    .filter(([keyword]) => !skipped.has(keyword))
    .map(([keyword, value]) =>
      keyword === 'description'
        ? String(value)
        : `${keyword} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    );
  const each = schema.items ? rulesOf(schema.items).map((rule) => `each: ${rule}`) : [];
  return [...own, ...each];
}

function typeLink(schema: JsonSchema): string {
  const name = refName(schema);
  if (name !== undefined) return `<a href="#${anchor(name)}"><code>${escape(name)}</code></a>`;
  const element = schema.items && refName(schema.items);
  if (element !== undefined) return `<a href="#${anchor(element)}"><code>${escape(element)}[]</code></a>`;
  const text =
    schema.type === 'integer' ? 'integer' : typeOf(schema, (ref) => ref).replaceAll('readonly ', '');
  return `<code>${escape(text)}</code>`;
}

function anchor(name: string): string {
  return `type-${encodeURIComponent(name)}`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --accent: #7aa7ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; }
h1 { margin: 0; } h2 { margin: 2.5rem 0 .75rem; } h3 { margin: 0 0 .5rem; font-size: 1rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
i, .rules { opacity: .7; font-size: .9em; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; table-layout: fixed; width: 100%; } th:first-child { width: 7.5rem; } th { text-align: left; font-size: .8em; opacity: .7; }
th, td { padding: .5rem .75rem; } tbody tr { border-top: 1px solid var(--line); }
.kind { background: var(--soft); border-radius: 1rem; font-size: .75em; padding: .1rem .6rem; }
.command { background: #2563eb33; } .event { background: #16a34a33; } .document { background: #d9770633; }
@media (max-width: 40rem) {
thead { display: none; } tbody tr { display: grid; grid-template-columns: 7rem 1fr; padding: .5rem .75rem; }
tbody tr:first-child { border-top: 0; } td { padding: .15rem 0; } td:nth-child(n+3) { grid-column: 2; }
td:empty { display: none; } td:nth-child(3)::before { content: "data "; } td:nth-child(4)::before { content: "reply "; }
td:nth-child(n+3)::before { font-size: .8em; opacity: .7; }
}
.types { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
article:target { border-color: var(--accent); } dl { margin: 0; } dd { margin: 0 0 .4rem 1rem; }
`;

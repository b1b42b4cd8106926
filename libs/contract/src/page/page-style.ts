/** The style of the page: palette, controls and shapes are those of the demo page. */
export const STYLE = `
:root { color-scheme: light dark; --back: #f5f5f7; --paper: #ffffff; --well: #f2f2f6; --ink: #1c1d29; --soft: #5b5e72;
  --line: #e0e1e9; --edge: #878a9e; --accent: #4a3fd0; --accent-ink: #ffffff; --accent-soft: #eeecff; --good: #15753a;
  --good-soft: #e6f5ec; --wait: #96540a; --wait-soft: #fdf2de; --bad: #b3261e; --bad-soft: #fdecea;
  --shadow: 0 1px 2px #1c1d290d, 0 6px 20px #1c1d290d; --lift: 0 2px 4px #1c1d2914, 0 10px 28px #1c1d2924; }
@media (prefers-color-scheme: dark) { :root { --back: #111219; --paper: #1a1c26; --well: #232532; --ink: #eceef6; --soft: #a6aabf;
  --line: #2e3142; --edge: #7d819a; --accent: #aba5ff; --accent-ink: #15142a; --accent-soft: #2c2a52; --good: #5fd98c;
  --good-soft: #15301f; --wait: #f2bd5c; --wait-soft: #33270f; --bad: #ff8d83; --bad-soft: #3a1917;
  --shadow: 0 1px 2px #0006, 0 6px 20px #0004; --lift: 0 2px 4px #0008, 0 10px 28px #0009; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 76rem; padding: .9rem 1.25rem 3rem; background: var(--back); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
h1, h2, h3, p, ul, ol, dl, dd, pre { margin: 0; padding: 0; }
ol, ul { list-style: none; }
h1 { font-size: 1.45rem; letter-spacing: -.035em; line-height: 1; }
h2 { margin-bottom: .6rem; font-size: .95rem; letter-spacing: -.005em; } h3 { font-size: .95rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
code, pre, textarea, output, #frames { font: .82rem/1.5 ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
h3 code { font-size: .92em; font-weight: 650; }
.hint { color: var(--soft); font-size: .85rem; }
:focus-visible { outline: 2.5px solid var(--accent); outline-offset: 2px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem 1.25rem; margin-bottom: .8rem; }
.brand { display: flex; flex: 1 1 18rem; align-items: center; gap: .6rem; }
.brand .hint { margin-top: .25rem; }
.logo { flex: none; width: 1.9rem; height: 1.9rem; fill: var(--accent); }
.logo path { fill: none; stroke: var(--accent); stroke-width: 2; opacity: .45; }
input, textarea { min-width: 0; padding: .55rem .8rem; border: 1px solid var(--edge); border-radius: .65rem;
  background: var(--paper); color: inherit; }
input { font: inherit; } input::placeholder { color: var(--soft); opacity: 1; }
textarea { display: block; width: 100%; background: var(--well); border-color: var(--line); resize: vertical; }
#search { flex: 1 1 14rem; max-width: 24rem; }
button { padding: .55rem 1rem; border: 1px solid var(--edge); border-radius: .65rem; background: var(--paper); color: inherit;
  font: inherit; cursor: pointer; }
button:hover { border-color: var(--accent); color: var(--accent); }
.primary, .primary:hover { border-color: var(--accent); background: var(--accent); color: var(--accent-ink); font-weight: 600; }
.primary:hover { filter: brightness(1.12); }
.columns { display: grid; grid-template-columns: minmax(0, 1fr); gap: .8rem; align-items: start; }
body[data-socket] .columns { grid-template-columns: minmax(0, 1fr) 22rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.5rem; }
.items { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); align-items: start; }
.item, aside { border: 1px solid var(--line); border-radius: .95rem; background: var(--paper); box-shadow: var(--shadow); }
.item { min-width: 0; padding: .85rem 1rem 1rem; }
.item:target { border-color: var(--accent); box-shadow: var(--lift); }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .6rem; margin-bottom: .35rem; }
.kind { padding: .05rem .6rem; border-radius: 2rem; background: var(--accent-soft); color: var(--accent); font-size: .75rem; font-weight: 600; }
.kind.event, .kind.server { background: var(--good-soft); color: var(--good); }
.kind.volatile, .kind.document { background: var(--wait-soft); color: var(--wait); }
.text { margin-bottom: .5rem; color: var(--soft); font-size: .9rem; white-space: pre-line; overflow-wrap: anywhere; }
dl.parts { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .15rem .75rem; font-size: .85rem; }
dl.parts dt { color: var(--soft); }
dl.fields dt { margin-top: .45rem; } dl.fields dd { font-size: .85rem; overflow-wrap: anywhere; }
.rules { color: var(--soft); white-space: pre-line; }
details { margin-top: .5rem; } summary { color: var(--accent); font-size: .85rem; cursor: pointer; }
pre { margin-top: .35rem; padding: .6rem .8rem; border-radius: .6rem; background: var(--well); white-space: pre-wrap; }
form.try { display: grid; gap: .5rem; margin-top: .6rem; }
.line { display: flex; align-items: center; gap: .5rem; } .line input { flex: 1; padding-block: .35rem; font-size: .9rem; }
.line button { flex: none; padding: .35rem .9rem; font-size: .9rem; }
output { display: block; max-height: 14rem; padding: .6rem .8rem; border-radius: .6rem; background: var(--well); overflow: auto;
  white-space: pre-wrap; }
output:empty { display: none; }
output.good { background: var(--good-soft); color: var(--good); } output.bad { background: var(--bad-soft); color: var(--bad); }
aside { position: sticky; top: .9rem; display: flex; flex-direction: column; gap: .7rem; max-height: calc(100vh - 1.8rem);
  padding: .85rem 1rem 1rem; }
.head { display: flex; align-items: center; justify-content: space-between; gap: .75rem; } .head h2 { margin: 0; }
.status { display: inline-flex; align-items: center; gap: .5rem; padding: .2rem .75rem; border: 1px solid var(--line);
  border-radius: 2rem; font-size: .85rem; }
.light { width: .55rem; height: .55rem; border-radius: 50%; background: var(--edge); }
[data-state=waiting] .light { background: var(--wait); }
[data-state=open] .light { background: var(--good); } [data-state=closed] .light { background: var(--bad); }
#frames { flex: 1; min-height: 8rem; overflow-y: auto; overscroll-behavior: contain; }
#frames:empty::before { content: 'Every frame that you send and get appears here.'; color: var(--soft); font: .85rem system-ui, sans-serif; }
#frames li { padding: .35rem 0 .35rem 1.4rem; border-top: 1px solid var(--line); position: relative; }
#frames li:first-child { border-top: 0; }
#frames li::before { content: '←'; position: absolute; left: 0; color: var(--good); } #frames .sent::before { content: '→'; color: var(--accent); }
@media (max-width: 56rem) {
  body { padding: .75rem .75rem 2rem; }
  body[data-socket] .columns { grid-template-columns: minmax(0, 1fr); }
  body[data-socket] { padding-bottom: 13.5rem; }
  #search { max-width: none; }
  aside { position: fixed; inset: auto 0 0; height: 12rem; max-height: none; border-width: 1px 0 0; border-radius: .95rem .95rem 0 0;
    gap: .5rem; padding: .6rem 1rem; box-shadow: var(--lift); }
  #frames { min-height: 0; }
  aside:has(#frames:empty) { height: auto; }
}
`;

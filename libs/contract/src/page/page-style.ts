/** The style of the page, in the look of the demo page. */
export const STYLE = `
:root { color-scheme: light dark; --back: #f3f4f8; --paper: #fff; --ink: #1a1c2b; --soft: #5d6178; --line: #dfe1ea;
  --accent: #4338ca; --accent-ink: #fff; --accent-soft: #eceaff; --good: #15803d; --wait: #b45309; --bad: #b91c1c;
  --shadow: 0 1px 2px #1a1c2b12, 0 8px 24px #1a1c2b0f; }
@media (prefers-color-scheme: dark) { :root { --back: #12131c; --paper: #1c1e2b; --ink: #eceef8; --soft: #a3a7bd;
  --line: #30334a; --accent: #a5a0ff; --accent-ink: #14131f; --accent-soft: #2b2950; --good: #4ade80; --wait: #fbbf24;
  --bad: #f87171; --shadow: 0 1px 2px #0008, 0 8px 24px #0006; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 80rem; padding: 1.25rem 1rem 3rem; background: var(--back); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
h1, h2, h3, p, ul, ol, dl, dd, pre { margin: 0; padding: 0; }
ol, ul { list-style: none; }
h1 { font-size: 1.6rem; letter-spacing: -.03em; line-height: 1.1; }
h2 { font-size: 1.1rem; margin-bottom: .75rem; } h3 { font-size: 1rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
code, pre, textarea, output, #frames { font: .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
.hint { color: var(--soft); font-size: .875rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1rem; margin-bottom: 1.25rem; }
.brand { flex: 1 1 18rem; }
input, textarea { min-width: 0; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .7rem;
  background: var(--back); color: inherit; font-size: .9375rem; }
textarea { display: block; width: 100%; resize: vertical; font-size: .8125rem; }
h3 code { font-size: .9375rem; }
#search { flex: 1 1 14rem; max-width: 24rem; background: var(--paper); font: inherit; }
button { padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .7rem; background: var(--paper); color: inherit;
  font: inherit; font-size: .9375rem; cursor: pointer; }
button:hover { border-color: var(--accent); }
.primary { border-color: var(--accent); background: var(--accent); color: var(--accent-ink); font-weight: 600; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.25rem; align-items: start; }
body[data-socket] .columns { grid-template-columns: minmax(0, 1fr) 24rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.75rem; }
.items { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); align-items: start; }
.item { padding: .9rem 1rem; border: 1px solid transparent; border-radius: 1rem; background: var(--paper); box-shadow: var(--shadow); min-width: 0; }
.item:target { border-color: var(--accent); }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .6rem; margin-bottom: .35rem; }
.kind { padding: .05rem .6rem; border-radius: 1rem; background: var(--accent-soft); color: var(--accent); font-size: .75rem; font-weight: 600; }
.kind.event, .kind.server { background: color-mix(in srgb, var(--good) 14%, transparent); color: var(--good); }
.kind.volatile, .kind.document { background: color-mix(in srgb, var(--wait) 14%, transparent); color: var(--wait); }
.text { margin-bottom: .5rem; color: var(--soft); font-size: .9rem; white-space: pre-line; overflow-wrap: anywhere; }
dl.parts { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .15rem .75rem; font-size: .875rem; }
dl.parts dt { color: var(--soft); }
dl.fields dt { margin-top: .45rem; } dl.fields dd { font-size: .875rem; overflow-wrap: anywhere; }
.rules { color: var(--soft); white-space: pre-line; }
details { margin-top: .5rem; } summary { color: var(--soft); font-size: .875rem; cursor: pointer; }
pre { margin-top: .35rem; padding: .6rem .75rem; border-radius: .7rem; background: var(--back); white-space: pre-wrap; }
form.try { display: grid; gap: .5rem; margin-top: .6rem; }
.line { display: flex; align-items: center; gap: .5rem; font-size: .875rem; } .line input { flex: 1; } .line .primary { flex: none; }
output { display: block; max-height: 14rem; overflow: auto; white-space: pre-wrap; } output:empty { display: none; }
output.good { color: var(--good); } output.bad { color: var(--bad); }
aside { position: sticky; top: 1rem; display: flex; flex-direction: column; gap: .75rem; max-height: calc(100vh - 2rem); padding: 1rem;
  border-radius: 1rem; background: var(--paper); box-shadow: var(--shadow); }
.head { display: flex; align-items: center; justify-content: space-between; gap: .75rem; } .head h2 { margin: 0; }
.status { display: inline-flex; align-items: center; gap: .5rem; font-size: .875rem; }
.light { width: .6rem; height: .6rem; border-radius: 50%; background: var(--wait); }
[data-state=open] .light { background: var(--good); } [data-state=closed] .light { background: var(--bad); }
#frames { flex: 1; min-height: 8rem; overflow-y: auto; overscroll-behavior: contain; }
#frames:empty::before { content: 'Every frame that you send and get appears here.'; color: var(--soft); font: .875rem system-ui, sans-serif; }
#frames li { padding: .35rem 0 .35rem 1.4rem; border-top: 1px solid var(--line); position: relative; }
#frames li:first-child { border-top: 0; }
#frames li::before { content: '←'; position: absolute; left: 0; color: var(--good); } #frames .sent::before { content: '→'; color: var(--accent); }
@media (max-width: 56rem) {
  body[data-socket] .columns { grid-template-columns: minmax(0, 1fr); }
  body[data-socket] { padding-bottom: 13.5rem; }
  aside { position: fixed; inset: auto 0 0; top: auto; height: 12rem; max-height: none; border-radius: 1rem 1rem 0 0; gap: .5rem;
    padding: .75rem 1rem; border-top: 1px solid var(--line); }
  #frames { min-height: 0; }
}
`;

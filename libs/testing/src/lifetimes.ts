/** Something that a test started, as the one who ends a test run sees it. */
interface Lifetime {
  /** Its kind and address, for a message. */
  readonly what: string;
  /** Line of the code that started it. */
  readonly place: string;
  /** Ends it by force if need be. */
  readonly end: () => unknown;
}

/** Our Jest environment sets it and ends what is in it after a spec's last hook; elsewhere there is none. */
const open = (globalThis as { [key: symbol]: Set<Lifetime> | undefined })[
  Symbol.for('wss.testing.lifetimes')
];

/**
 * Enters something that a test started, so that a test that failed half-way leaves nothing that runs.
 *
 * @param what its kind and address, e.g. `TcpProxy on port 5000`
 * @param end ends it; called at most once, and not after the release
 * @returns its release, to be called when it has ended; more calls do nothing
 */
export function entered(what: string, end: () => unknown): () => void {
  if (!open) return () => undefined;
  const lifetime = { what, place: caller(), end };
  open.add(lifetime);
  return () => void open.delete(lifetime);
}

/** The first line of the stack that is not ours. */
function caller(): string {
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  const line = lines.find((each) => !/libs\/testing\/src\/(?!.*\.spec\.ts)|node:internal/.test(each));
  return line?.trim() ?? 'somewhere';
}

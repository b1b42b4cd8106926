/** The parts of a browser that tell whether connecting makes sense now. */
interface Page {
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: { readonly hidden?: boolean; readonly addEventListener: Listen };
  readonly addEventListener?: Listen;
}

type Listen = (type: string, listener: () => void, options: { signal: AbortSignal }) => void;

const page = globalThis as unknown as Page;

/** Whether the device is online and somebody looks at the page; always in Node. */
export function worthConnecting(): boolean {
  return page.navigator?.onLine !== false && page.document?.hidden !== true;
}

/** Calls back whenever that may have changed, until the signal says stop. */
export function onPageChange(callback: () => void, signal: AbortSignal): void {
  page.addEventListener?.('online', callback, { signal });
  page.document?.addEventListener('visibilitychange', callback, { signal });
}

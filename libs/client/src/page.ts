/** The parts of a browser that tell whether connecting makes sense now. */
interface Page {
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: {
    readonly hidden?: boolean;
    addEventListener(type: string, listener: () => void): void;
  };
  addEventListener?(type: string, listener: () => void): void;
}

const page = globalThis as unknown as Page;

/** Whether the device is online and somebody looks at the page; always in Node. */
export function worthConnecting(): boolean {
  return page.navigator?.onLine !== false && page.document?.hidden !== true;
}

/** Calls back whenever that may have changed. */
export function onPageChange(callback: () => void): void {
  page.addEventListener?.('online', callback);
  page.document?.addEventListener('visibilitychange', callback);
}

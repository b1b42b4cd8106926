type Listen = (type: string, listener: () => void, options: { signal: AbortSignal }) => void;

interface Target {
  readonly addEventListener?: Listen;
}

/** The parts of a browser that show if connecting is useful now. */
interface Page extends Target {
  readonly navigator?: { readonly onLine?: boolean; readonly connection?: Target };
  readonly document?: Target & { readonly hidden?: boolean };
}

/**
 * The browser's view of the page; it may be wrong about the network.
 * @internal
 */
export interface PageState {
  readonly isHidden: boolean;
  readonly isOffline: boolean;
}

const page = globalThis as unknown as Page;

/**
 * How the page is now; in Node it is always shown and online.
 * @internal
 */
export function pageState(): PageState {
  return { isHidden: page.document?.hidden === true, isOffline: page.navigator?.onLine === false };
}

/**
 * Calls back whenever the page came back, or its network may be another one, until the signal says stop.
 * @internal
 */
export function onPageChange(callback: () => void, signal: AbortSignal): void {
  const listen = (target: Target | undefined, ...types: string[]): void => {
    for (const type of types) target?.addEventListener?.(type, callback, { signal });
  };
  listen(page, 'online', 'offline');
  listen(page.document, 'visibilitychange', 'resume');
  listen(page.navigator?.connection, 'change');
}

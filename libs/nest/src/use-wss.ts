import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { ClusterWsAdapterOptions } from '@wss/messaging';
import { Installation } from './assembly/installation.js';
import { refuseCopies } from './loaded-copies.js';

/**
 * Options of {@link useWss}. `fallback`: the adapter of gateways that need socket.io, e.g. `new IoAdapter(app)`;
 * default none.
 */
export type UseWssOptions = Pick<ClusterWsAdapterOptions, 'fallback'>;

/**
 * Gives an application its WebSocket: the path of the options, and the adapter on which existing gateways run
 * unchanged. Call it after `NestFactory.create(…)` and before `app.listen(…)` or `app.init()`. A second call changes
 * nothing.
 * @returns the application
 * @throws Error with the remedy when the application does not import `WssModule.forRoot(…)`
 */
export function useWss<App extends INestApplication>(app: App, options: UseWssOptions = {}): App {
  refuseCopies();
  for (const { providers } of app.get(ModulesContainer).values()) {
    const known: unknown = providers.get(Installation)?.instance;
    if (!(known instanceof Installation)) continue;
    known.install(app, options);
    return app;
  }
  throw new Error(
    'useWss(app) finds no WssModule: import WssModule.forRoot(…) or WssModule.forRootAsync(…) in the root module',
  );
}

import { type INestApplication, Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { ClusterWsAdapter, type ClusterWsAdapterOptions } from '@wss/messaging';
import { WssSettings } from '../options/wss-settings.js';
import { ClientGateway, serveAt } from './client.gateway.js';

const REMEDY =
  'call useWss(app) after NestFactory.create(…) and before app.listen(…) or app.init(); the set-up of an e2e test needs it, too, after createNestApplication()';

/** Knows the servers that it made. */
class InstalledAdapter extends ClusterWsAdapter {
  private readonly made = new WeakSet<object>();

  override create(...args: Parameters<ClusterWsAdapter['create']>): ReturnType<ClusterWsAdapter['create']> {
    const server = super.create(...args);
    this.made.add(server);
    return server;
  }

  hasMade(server: unknown): boolean {
    return typeof server === 'object' && server !== null && this.made.has(server);
  }
}

/** The WebSocket side of an application: without it no client can come. */
@Injectable()
export class Installation {
  private adapter?: InstalledAdapter;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly gateway: ClientGateway,
    private readonly settings: WssSettings,
    private readonly host: HttpAdapterHost,
  ) {}

  /**
   * Gives the gateway its path and the application its adapter, and in production warns of options that are not safe; a
   * second call changes nothing.
   */
  install(app: INestApplication, options: ClusterWsAdapterOptions): void {
    if (this.adapter) return;
    serveAt(this.settings.path, this.modules);
    this.adapter = new InstalledAdapter(app, options);
    app.useWebSocketAdapter(this.adapter);
    if (process.env.NODE_ENV === 'production') this.warn();
  }

  private warn(): void {
    const logger = new Logger('WssModule');
    for (const line of this.settings.unsafe) logger.warn(line);
  }

  /** @throws Error with the remedy when an application with an HTTP server has half an installation */
  requireWhole(): void {
    // A context, a microservice and a compiled test module have no HTTP server, and so no clients.
    if (!this.host.httpAdapter?.getHttpServer()) return;
    if (!this.adapter) throw new Error(`WssModule has no WebSocket: ${REMEDY}`);
    if (this.adapter.hasMade(this.gateway.server)) return;
    throw new Error(
      'another WebSocket adapter has taken the place of the one that useWss(app) had set, and would let everybody in: remove app.useWebSocketAdapter(…); existing gateways run on this one, and useWss(app, { fallback }) serves others',
    );
  }
}

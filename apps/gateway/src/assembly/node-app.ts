import type { DynamicModule, INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClusterTransport } from '@wss/cluster';
import { ClusterWsAdapter } from '@wss/messaging';
import { HttpAdapter } from './http-adapter.js';

/** Creates a node's application: HTTP, the WebSocket adapter and the cluster transport, joined but not started. */
export async function createNode(
  module: DynamicModule,
  options: NestApplicationOptions = {},
): Promise<INestApplication> {
  const http = new HttpAdapter({ forceCloseConnections: true });
  const app = await NestFactory.create(module, http, { ...options, abortOnError: false });
  app.useWebSocketAdapter(new ClusterWsAdapter(app));
  app.connectMicroservice({ strategy: app.get(ClusterTransport) }, { inheritAppConfig: true });
  return app;
}

import type { DynamicModule, INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { useWss } from '@wss/nest';
import { HttpAdapter } from './http-adapter.js';

/** Creates a node's application: HTTP and the WebSocket, not started yet. */
export async function createNode(
  module: DynamicModule,
  options: NestApplicationOptions = {},
): Promise<INestApplication> {
  const http = new HttpAdapter({ forceCloseConnections: true });
  return useWss(await NestFactory.create(module, http, { ...options, abortOnError: false }));
}

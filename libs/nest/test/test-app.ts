import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { useWss, type UseWssOptions, WssModule, type WssOptions } from '@wss/nest';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Modules of an application, without the node. */
export type Modules = readonly (Type<object> | DynamicModule)[];

/** The application of a user: created, not started. */
export function createApp(platform: Platform, modules: Modules): Promise<INestApplication> {
  @Module({ imports: [...modules] })
  class AppModule {}
  return platform === 'express'
    ? NestFactory.create(AppModule, new ExpressAdapter(), { logger: false, abortOnError: false })
    : NestFactory.create(AppModule, new FastifyAdapter(), { logger: false, abortOnError: false });
}

/** The same with a node and its WebSocket, listening. */
export async function startApp(
  platform: Platform,
  options: WssOptions,
  modules: Modules = [],
  use?: UseWssOptions,
): Promise<INestApplication> {
  const app = useWss(await createApp(platform, [WssModule.forRoot(options), ...modules]), use);
  await app.listen(0, '127.0.0.1');
  return app;
}

/** The URL of an application's WebSocket. */
export async function socketUrl(app: INestApplication, path = '/'): Promise<string> {
  return new URL(path, (await app.getUrl()).replace(/^http/, 'ws')).href;
}

/** Sends JSON to an application and returns its answer. */
export async function post(app: INestApplication, path: string, body: object): Promise<unknown> {
  const response = await fetch(new URL(path, await app.getUrl()), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

export async function get(app: INestApplication, path: string): Promise<unknown> {
  return (await fetch(new URL(path, await app.getUrl()))).json();
}

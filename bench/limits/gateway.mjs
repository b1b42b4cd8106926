import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { IsString } from 'class-validator';

/** A gateway with one handler, in a process of its own: `gateway.mjs <root of a build> <limits as JSON>`. */
const [root, limits] = process.argv.slice(2);
const { useWss, WssModule } = await import(new URL('libs/nest/src/index.js', root));

class Say {}
IsString()(Say.prototype, 'text');

// Decorated by hand, because this file is run as it stands.
class Echo {
  say({ text }) {
    return { text };
  }
}
MessageBody()(Echo.prototype, 'say', 0);
Reflect.defineMetadata('design:paramtypes', [Say], Echo.prototype, 'say');
SubscribeMessage('echo.say')(Echo.prototype, 'say', Object.getOwnPropertyDescriptor(Echo.prototype, 'say'));

class AppModule {}
Module({
  imports: [WssModule.forRoot({ auth: 'none', ...(limits !== 'none' && { limits: JSON.parse(limits) }) })],
  providers: [Echo],
})(AppModule);

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false });
useWss(app);
await app.listen(0, '127.0.0.1');

let since = process.cpuUsage();
process.on('message', () => {
  const { user, system } = process.cpuUsage(since);
  since = process.cpuUsage();
  process.send({ cpuMs: (user + system) / 1_000 });
});
process.send({ port: app.getHttpServer().address().port });

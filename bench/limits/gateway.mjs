import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { IsInt, IsString } from 'class-validator';

/** A gateway in a process of its own: `gateway.mjs <root of a build> <limits as JSON> <address of a Redis>`. */
const [root, limits, redis] = process.argv.slice(2);
const nest = await import(new URL('libs/nest/src/index.js', root));
const { Command, CurrentCommand, RateLimit, RoomDocument, RoomType, StateRepository, useWss, WssModule } =
  nest;
/** Nobody comes near it. */
const FAR = { limit: 1_000_000, windowMs: 1_000 };

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

class Tally {
  count = 0;
}
IsInt()(Tally.prototype, 'count');
RoomDocument('tally')(Tally);

class Tallies {
  constructor(tallies) {
    this.tallies = tallies;
  }

  add(command) {
    return this.tallies.update(command, (tally, room) => {
      room.append('tally.added', { text: 'hello' });
      return { count: ++tally.count };
    });
  }

  room(command) {
    return this.add(command);
  }

  user(command) {
    return this.add(command);
  }

  everywhere(command) {
    return this.add(command);
  }

  client(command) {
    return this.add(command);
  }
}
nest.InjectState(Tally)(Tallies, undefined, 0);
Reflect.defineMetadata('design:paramtypes', [StateRepository], Tallies);
/** The limit of each command but the first. */
const LIMITS = {
  add: undefined,
  room: { per: 'room' },
  user: { per: 'user' },
  everywhere: { per: 'user', overRooms: true },
  client: { per: 'client' },
};
for (const [name, limit] of Object.entries(LIMITS)) {
  const method = Object.getOwnPropertyDescriptor(Tallies.prototype, name);
  CurrentCommand()(Tallies.prototype, name, 0);
  Reflect.defineMetadata('design:paramtypes', [Command], Tallies.prototype, name);
  SubscribeMessage(`tally.${name}`)(Tallies.prototype, name, method);
  if (limit) RateLimit({ ...limit, ...FAR })(Tallies.prototype, name, method);
}
RoomType('tally', { events: { 'tally.added': Say } })(Tallies);

class AppModule {}
Module({
  imports: [
    WssModule.forRoot({ auth: 'none', redis, ...(limits !== 'none' && { limits: JSON.parse(limits) }) }),
    WssModule.forFeature([Tally]),
  ],
  providers: [Echo, Tallies],
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

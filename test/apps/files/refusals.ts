import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { useWss } from '@wss/nest';
import { newAdapter } from './adapter.js';
import { AppModule } from './app.module.js';

@Module({})
class NoModule {}

/** Applications that lack a half. */
const starts: Record<string, () => Promise<unknown>> = {
  async 'the adapter of before'() {
    const app = await NestFactory.create(AppModule, newAdapter());
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.listen(0);
  },
  async 'another adapter'() {
    const app = await NestFactory.create(AppModule, newAdapter());
    useWss(app);
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.listen(0);
  },
  async 'without the module'() {
    const app = await NestFactory.create(NoModule, newAdapter());
    useWss(app);
    await app.listen(0);
  },
};

const start = starts[process.argv[2] ?? ''];
if (!start) throw new Error('unknown start');
start().then(
  () => console.log('started'),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);

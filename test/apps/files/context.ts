import { NestFactory } from '@nestjs/core';
import { Rooms } from '@wss/nest';
import { AppModule } from './app.module.js';
import { PollItemAdded } from './poll/poll.messages.js';

/** A script of an application: it has rooms, and no clients. */
async function run() {
  const app = await NestFactory.createApplicationContext(AppModule);
  const data = { id: 'script', text: 'by a script', user: 'script' };
  const { seq } = await app.get(Rooms).to('poll:script').append('by node', PollItemAdded, data);
  console.log(`appended ${seq}`);
  await app.close();
}
void run();

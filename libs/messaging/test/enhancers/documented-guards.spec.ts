import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Controller, Get } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { WebSocketGateway } from '@nestjs/websockets';
import { CommandFailed } from '@wss/testing';
import { NativeApp } from '../native/native-app.js';
import { routerModule } from '../test-ports.js';
import { HttpOnly, NotBanned, NotesHandlers } from './documented-guards.js';

const PAGE = 'docs/enhancers.md';
const SOURCE = 'libs/messaging/test/enhancers/documented-guards.ts';

@WebSocketGateway({ commands: true })
class RouterGateway {}

@Controller()
class NotesController {
  @Get('notes')
  read(): string {
    return 'notes';
  }
}

let native: NativeApp | undefined;
afterEach(async () => {
  await native?.stop();
  native = undefined;
});

async function start(guard: typeof NotBanned | typeof HttpOnly): Promise<NativeApp> {
  const module = routerModule({
    providers: [RouterGateway, NotesHandlers, { provide: APP_GUARD, useClass: guard }],
    controllers: [NotesController],
  });
  return (native = await NativeApp.start(module));
}

describe('the guards of docs/enhancers.md', () => {
  it('stand there as they run here', () => {
    const source = readFileSync(SOURCE, 'utf8');
    const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block!);
    const guards = blocks.filter((block) => !block.includes('APP_FILTER'));
    expect(guards).toHaveLength(4);
    expect(guards.filter((block) => !source.includes(block.trim()))).toEqual([]);
  });

  it('refuse a banned user, and let others do what they may', async () => {
    const app = await start(NotBanned);
    const [ann, mallory] = [
      await app.client('/', { user: 'ann' }),
      await app.client('/', { user: 'mallory' }),
    ];
    await ann.join('notes:ann');
    expect(await ann.command('notes.write', { text: 'x' }, { room: 'notes:ann' })).toEqual({ text: 'x' });
    await mallory.join('notes:mallory');
    const refused = mallory.command('notes.write', { text: 'x' }, { room: 'notes:mallory' });
    await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    await expect(ann.join('notes:mallory')).rejects.toThrow(CommandFailed);
  });

  it('pass commands and keep HTTP requests out', async () => {
    const app = await start(HttpOnly);
    const ann = await app.client('/', { user: 'ann' });
    await ann.join('notes:ann');
    expect(await ann.command('notes.write', { text: 'x' }, { room: 'notes:ann' })).toEqual({ text: 'x' });
    const read = (key: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${app.port}/notes`, { headers: { key } });
    expect([(await read('k')).status, (await read('no')).status]).toEqual([200, 403]);
  });
});

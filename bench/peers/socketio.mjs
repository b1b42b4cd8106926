import { createServer } from 'node:http';
import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

/** Plain socket.io, as its documents show it; `ADAPTER` chooses which of its adapters carries events over Redis. */
const { PORT, REDIS_SERVER, ADAPTER = 'pub/sub' } = process.env;
const http = createServer();
const io = new Server(http, { transports: ['websocket'] });
let commands;
if (REDIS_SERVER) {
  commands = createClient({ url: REDIS_SERVER });
  const second = commands.duplicate();
  await Promise.all([commands.connect(), second.connect()]);
  io.adapter(ADAPTER === 'streams' ? createStreamsAdapter(second) : createPubSubAdapter(commands, second));
}

io.on('connection', (socket) => {
  const refuse = () => socket.emit('exception', { message: 'invalid' });
  socket.on('join', (data, answer) => {
    if (!isText(data?.room, 64)) return refuse();
    socket.join(data.room);
    answer({ ok: true });
  });
  socket.on('pub', (data) => {
    const { room, t, n, p } = data ?? {};
    if (!isText(room, 64) || !Number.isInteger(t) || !Number.isInteger(n) || !isText(p, 4_096))
      return refuse();
    io.to(room).emit('msg', data);
  });
  socket.on('echo', (data, answer) => {
    if (!Number.isInteger(data?.id) || data.id < 0 || !isText(data.text, 200)) return refuse();
    answer({ id: data.id, ok: true });
  });
  socket.on('incr', async ({ key }, answer) => answer({ v: await commands.incr(key) }));
  socket.on('collect', (_data, answer) => {
    globalThis.gc();
    answer({});
  });
});
http.listen(Number(PORT), '127.0.0.1', 4_096);

function isText(value, longest) {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

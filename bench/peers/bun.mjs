import { RedisClient } from 'bun';

/** Near what the machine can do: Bun's own server (uWebSockets) with its topics, and its own client of Redis. */
const { PORT, REDIS_SERVER } = process.env;
const NODE_ID = process.pid.toString(36).padStart(8, '0');
const members = new Map();
const [commands, subscriber] = REDIS_SERVER
  ? await Promise.all([connected(REDIS_SERVER), connected(REDIS_SERVER)])
  : [];

const handlers = {
  join(socket, { room }) {
    if (!isText(room, 64)) return refuse(socket);
    socket.subscribe(room);
    if (!members.has(room)) subscriber?.subscribe(room, relay);
    members.set(room, (members.get(room) ?? 0) + 1);
    answer(socket, 'join', { ok: true });
  },
  pub(socket, data) {
    const { room, t, n, p } = data;
    if (!isText(room, 64) || !Number.isInteger(t) || !Number.isInteger(n) || !isText(p, 4_096))
      return refuse(socket);
    const text = JSON.stringify({ event: 'msg', data });
    server.publish(room, text);
    commands?.publish(room, NODE_ID + text);
  },
  echo(socket, { id, text }) {
    if (!Number.isInteger(id) || id < 0 || !isText(text, 200)) return refuse(socket);
    answer(socket, 'echo', { id, ok: true });
  },
  async incr(socket, { key }) {
    answer(socket, 'incr', { v: await commands.incr(key) });
  },
  collect(socket) {
    Bun.gc(true);
    answer(socket, 'collect', {});
  },
};

const server = Bun.serve({
  port: Number(PORT),
  hostname: '127.0.0.1',
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('', { status: 400 })),
  websocket: {
    idleTimeout: 960,
    message(socket, text) {
      const { event, data } = JSON.parse(text);
      handlers[event]?.(socket, data);
    },
  },
});

function relay(text, channel) {
  if (!text.startsWith(NODE_ID)) server.publish(channel, text.slice(8));
}

async function connected(url) {
  const client = new RedisClient(url);
  await client.connect();
  return client;
}

function isText(value, longest) {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

function answer(socket, event, data) {
  socket.send(JSON.stringify({ event, data }));
}

function refuse(socket) {
  answer(socket, 'exception', { message: 'invalid' });
}

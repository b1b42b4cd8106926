import { RedisClient } from 'bun';
import { answer, isPublication, isText, plainHandlers, refuse } from './plain-wire.mjs';

/** Near what the machine can do: Bun's own server (uWebSockets) with its topics, and its own client of Redis. */
const { PORT, REDIS_SERVER } = process.env;
const NODE_ID = process.pid.toString(36).padStart(8, '0');
const members = new Map();
const [commands, subscriber] = REDIS_SERVER
  ? await Promise.all([connected(REDIS_SERVER), connected(REDIS_SERVER)])
  : [];

const handlers = {
  ...plainHandlers({ commands, collect: () => Bun.gc(true) }),
  join(socket, { room }) {
    if (!isText(room, 64)) return refuse(socket);
    socket.subscribe(room);
    if (!members.has(room)) subscriber?.subscribe(room, relay);
    members.set(room, (members.get(room) ?? 0) + 1);
    answer(socket, 'join', { ok: true });
  },
  pub(socket, data) {
    if (!isPublication(data)) return refuse(socket);
    const { room } = data;
    const text = JSON.stringify({ event: 'msg', data });
    server.publish(room, text);
    commands?.publish(room, NODE_ID + text);
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

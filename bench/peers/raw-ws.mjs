import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';

/**
 * The reference: `ws` with routing, rooms and checks written by hand, and one channel of Redis per room. It promises
 * nothing: events have no order between nodes, are lost when Redis or a link fails, and nobody limits a sender.
 */
const { PORT, REDIS_SERVER } = process.env;
const NODE_ID = Buffer.from(process.pid.toString(36).padStart(8, '0'));
const rooms = new Map();
const [commands, subscriber] = REDIS_SERVER ? [new Redis(REDIS_SERVER), new Redis(REDIS_SERVER)] : [];

subscriber?.on('messageBuffer', (channel, bytes) => {
  if (bytes.compare(NODE_ID, 0, 8, 0, 8) !== 0) deliver(channel.toString(), bytes.subarray(8));
});

const handlers = {
  join(socket, { room }) {
    if (!isText(room, 64)) return refuse(socket);
    if (!rooms.has(room)) {
      rooms.set(room, new Set());
      subscriber?.subscribe(room);
    }
    rooms.get(room).add(socket);
    socket.rooms.push(room);
    answer(socket, 'join', { ok: true });
  },
  pub(socket, data) {
    const { room, t, n, p } = data;
    if (!isText(room, 64) || !Number.isInteger(t) || !Number.isInteger(n) || !isText(p, 4_096))
      return refuse(socket);
    const bytes = Buffer.from(JSON.stringify({ event: 'msg', data }));
    deliver(room, bytes);
    commands?.publish(room, Buffer.concat([NODE_ID, bytes]));
  },
  echo(socket, { id, text }) {
    if (!Number.isInteger(id) || id < 0 || !isText(text, 200)) return refuse(socket);
    answer(socket, 'echo', { id, ok: true });
  },
  async incr(socket, { key }) {
    answer(socket, 'incr', { v: await commands.incr(key) });
  },
  collect(socket) {
    globalThis.gc();
    answer(socket, 'collect', {});
  },
};

new WebSocketServer({ port: Number(PORT), host: '127.0.0.1', backlog: 4_096 }).on('connection', (socket) => {
  socket.rooms = [];
  socket.on('message', (bytes) => {
    const { event, data } = JSON.parse(bytes);
    handlers[event]?.(socket, data);
  });
  socket.on('close', () => socket.rooms.forEach((room) => leave(socket, room)));
  socket.on('error', () => undefined);
});

function leave(socket, room) {
  const members = rooms.get(room);
  members.delete(socket);
  if (members.size > 0) return;
  rooms.delete(room);
  subscriber?.unsubscribe(room);
}

function deliver(room, bytes) {
  for (const member of rooms.get(room) ?? []) member.send(bytes, { binary: false });
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

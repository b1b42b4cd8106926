import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { answer, isPublication, isText, plainHandlers, refuse } from './plain-wire.mjs';

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
  ...plainHandlers({ commands, collect: () => globalThis.gc() }),
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
    if (!isPublication(data)) return refuse(socket);
    const { room } = data;
    const bytes = Buffer.from(JSON.stringify({ event: 'msg', data }));
    deliver(room, bytes);
    commands?.publish(room, Buffer.concat([NODE_ID, bytes]));
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

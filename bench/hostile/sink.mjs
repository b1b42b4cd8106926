import { createServer } from 'node:net';

/**
 * A server in a process of its own that takes a flood and does nothing with it: it shows what the flooder costs the others
 * by the core that it runs on. It gets the bytes that it takes per second of all connections together; 0: it cuts each
 * connection after a piece, as a node cuts one that breaks a limit.
 */
const TICK_MS = 10;
const PIECE_BYTES = 65_536;
const ANSWER = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

let bytesPerSecond = 0;
let left = 0;
const sockets = new Set();

const server = createServer((socket) => {
  sockets.add(socket);
  let taken = 0;
  socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  socket.once('data', () => socket.write(ANSWER));
  socket.on('data', (chunk) => {
    taken += chunk.length;
    left -= chunk.length;
    if (bytesPerSecond === 0 && taken > PIECE_BYTES) socket.destroy();
    else if (bytesPerSecond > 0 && left < 0) socket.pause();
  });
});

setInterval(() => {
  left = Math.min(left, 0) + (bytesPerSecond * TICK_MS) / 1_000;
  if (left > 0) for (const socket of sockets) socket.resume();
}, TICK_MS).unref();

process.on('message', (rate) => {
  bytesPerSecond = rate;
  process.send('taken');
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

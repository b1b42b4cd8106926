import './on-request.mjs';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
server.on('listening', () => console.log(`ready: http://127.0.0.1:${server.address().port}/`));

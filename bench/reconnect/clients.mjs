import WebSocket from 'ws';

// Clients of one process: they come back at once when their connection ends, on the next of the nodes, and join at
// their position in the same moment. Counts are told to the parent when they have changed.

const OPEN_AT_ONCE = 100;
const RETRY_MS = 250;

const { urls, clients, rooms, address, target } = JSON.parse(process.env.BENCH);
const counts = { joined: 0, lost: 0, back: 0, resumed: 0, complete: 0, gaps: 0, resets: 0, retries: 0 };

process.on('message', ({ survivors }) => {
  urls.splice(0, urls.length, ...survivors);
});
process.on('disconnect', () => process.exit(0));
setInterval(() => process.send(counts), 100);

class Client {
  constructor(number) {
    this.number = number;
    this.room = `chat:${number % rooms}`;
    this.seq = 0;
  }

  /** Resolves when it has joined for the first time. */
  start() {
    return new Promise((resolve) => {
      this.onJoined = resolve;
      this.connect();
    });
  }

  connect() {
    const protocols = ['wss.v1', ...(this.token ? [`wss.resume.${this.token}`] : [])];
    const url = `${urls[this.number % urls.length]}?user=u${this.number}`;
    const socket = new WebSocket(url, protocols, { localAddress: address });
    let opened = false;
    socket.on('open', () => {
      opened = true;
      if (this.epoch) counts.back++;
      this.join(socket);
    });
    socket.on('message', (bytes) => this.read(socket, JSON.parse(String(bytes))));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (opened) {
        counts.lost++;
        this.connect();
      } else {
        counts.retries++;
        setTimeout(() => this.connect(), Math.random() * RETRY_MS);
      }
    });
  }

  join(socket) {
    const data = this.epoch ? { epoch: this.epoch, seq: this.seq } : {};
    socket.send(JSON.stringify({ event: '$join', room: this.room, id: 1, data }));
  }

  read(socket, { id, event, seq, data, error }) {
    if (event === '$hello') {
      this.token = data.token;
      if (data.resumed) counts.resumed++;
    } else if (error?.retry) {
      counts.retries++;
      setTimeout(() => this.join(socket), Math.random() * RETRY_MS);
    } else if (id === 1 && !this.epoch) {
      ({ epoch: this.epoch, seq: this.seq } = data);
      counts.joined++;
      this.onJoined();
    } else if (event === '$reset' || (id === 1 && data?.recovered === false)) {
      counts.resets++;
    } else if (seq !== undefined && event) {
      if (seq !== this.seq + 1) counts.gaps++;
      this.seq = seq;
      if (seq === target) counts.complete++;
    }
  }
}

const waiting = clients.map((number) => new Client(number));
await Promise.all(
  Array.from({ length: OPEN_AT_ONCE }, async () => {
    for (let client; (client = waiting.pop());) await client.start();
  }),
);

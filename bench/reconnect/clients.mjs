import { RawSocket } from '../shared/raw-socket.mjs';

// Clients of one process: they come back at once when their connection ends, on the next of the nodes, and join at
// their position in the same moment. Counts are told to the parent when they have changed.

const OPEN_AT_ONCE = 100;
/** Between two attempts to connect, or to join where a node said that it can be tried again, at most. */
const RETRY_MS = 250;

const { urls, clients, rooms, address, target } = JSON.parse(process.env.BENCH);
const counts = { joined: 0, back: 0, resumed: 0, rejoined: 0, complete: 0, gaps: 0, resets: 0, failures: {} };

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
    let opened = false;
    this.socket = new RawSocket(`${urls[this.number % urls.length]}?user=u${this.number}`, {
      protocols,
      localAddress: address,
      onOpen: () => {
        opened = true;
        if (this.epoch) counts.back++;
        this.join();
      },
      onText: (bytes) => this.read(bytes),
      onEnd: (reason) => {
        if (opened) return this.connect();
        failed(`connect: ${reason}`);
        setTimeout(() => this.connect(), Math.random() * RETRY_MS);
      },
    });
  }

  join() {
    const data = this.epoch ? { epoch: this.epoch, seq: this.seq } : {};
    this.socket.send(JSON.stringify({ event: '$join', room: this.room, id: 1, data }));
  }

  read(bytes) {
    const head = bytes.toString('latin1', 0, 80);
    if (head.startsWith('{"event":"$presence"')) return;
    const seq = /^\{"event":"chat\.sent","room":"[^"]*","seq":(\d+)/.exec(head);
    if (seq) this.takeEvent(Number(seq[1]));
    else this.takeFrame(JSON.parse(bytes.toString()));
  }

  takeEvent(seq) {
    if (seq !== this.seq + 1) counts.gaps++;
    this.seq = seq;
    if (seq === target) counts.complete++;
  }

  takeFrame({ id, event, data, error }) {
    if (event === '$hello') {
      this.token = data.token;
      if (data.resumed) counts.resumed++;
    } else if (error) {
      failed(`join: ${error.code}`);
      setTimeout(() => this.join(), Math.random() * RETRY_MS);
    } else if (id === 1 && !this.epoch) {
      ({ epoch: this.epoch, seq: this.seq } = data);
      counts.joined++;
      this.onJoined();
    } else if (event === '$reset' || (id === 1 && data.recovered === false)) {
      counts.resets++;
    } else if (id === 1) {
      counts.rejoined++;
    }
  }
}

function failed(how) {
  counts.failures[how] = (counts.failures[how] ?? 0) + 1;
}

const waiting = clients.map((number) => new Client(number));
await Promise.all(
  Array.from({ length: OPEN_AT_ONCE }, async () => {
    for (let client; (client = waiting.pop());) await client.start();
  }),
);

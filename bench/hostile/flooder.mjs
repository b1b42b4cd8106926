import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FLOODS, OPCODES, RawClient, rawFrame } from '../../dist/libs/testing/src/index.js';

/**
 * A hostile client in a process of its own. It gets `{kind, port}`, floods until it gets `stop`, and tells then the bytes
 * that the node took, the connections that it made, and how they ended.
 */
const MEBIBYTE = 1_048_576;
const CONNECTS_PER_SECOND = 1_000;

/** Each works until the abort; `told` has the counts. */
const others = {
  'frames of 20 MB': async (port, told, signal) => {
    const frame = rawFrame(OPCODES.text, Buffer.alloc(20 * MEBIBYTE, 'x'));
    while (!signal.aborted) {
      const client = await opened(port, told);
      for (let at = 0; at < frame.length && !client.socket.destroyed; at += MEBIBYTE) {
        await client.written(frame.subarray(at, at + MEBIBYTE));
      }
      await client.ended;
      await ended(client, told);
    }
  },
  'a connect each millisecond, half refused': async (port, told, signal) => {
    const open = new Set();
    for (let count = 0; !signal.aborted;) {
      for (const until = performance.now() + 10; performance.now() < until && open.size < 200;) {
        if (count++ % (CONNECTS_PER_SECOND / 100) === CONNECTS_PER_SECOND / 100 - 1) break;
        const done = upgradeOnce(port, count % 2 === 0, told).finally(() => open.delete(done));
        open.add(done);
      }
      await delay(10);
    }
    await Promise.all(open);
  },
};

async function upgradeOnce(port, isRefused, told) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const head = ['GET / HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: websocket'];
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  const protocol = isRefused ? ['Sec-WebSocket-Protocol: no.such'] : [];
  socket.write([...head, 'Sec-WebSocket-Version: 13', key, ...protocol, '\r\n'].join('\r\n'));
  const closed = once(socket, 'close').then(() => ['']);
  const [answer] = await Promise.race([once(socket, 'data'), closed]);
  count(told, `HTTP ${String(answer).slice(9, 12)}`);
  socket.destroy();
}

async function flood({ reads, bytes }, port, { told, signal }) {
  for (let round = 0; !signal.aborted;) {
    const client = await opened(port, told);
    if (!reads) client.stopReading();
    const gone = once(signal, 'abort').then(() => client.terminate());
    while (!signal.aborted && !client.socket.destroyed) await client.written(bytes(round++));
    told.bytes += client.socket.bytesWritten - client.socket.writableLength;
    await ended(client, told);
    void gone;
  }
}

async function opened(port, told) {
  told.connections++;
  return RawClient.connect(port, '/?user=hostile');
}

async function ended(client, told) {
  client.terminate();
  count(told, (await client.ended) ?? 'cut');
}

function count(told, how) {
  told.ends[how] = (told.ends[how] ?? 0) + 1;
}

let stop;
process.on('message', (message) => {
  if (message === 'stop') return stop.abort();
  stop = new AbortController();
  const told = { bytes: 0, connections: 0, ends: {} };
  const { kind, port } = message;
  const { signal } = stop;
  const work = others[kind] ? others[kind](port, told, signal) : flood(FLOODS[kind], port, { told, signal });
  void work.catch((error) => (told.failed = error.message)).finally(() => process.send(told));
});
process.send({ kinds: [...Object.keys(FLOODS), ...Object.keys(others)] });

/**
 * How to speak with each kind of server.
 * `path` of the handshake · `hello`: frames to wait for by their beginning, and what to send then · `ask`: a request that
 * is answered · `tell`: one that is not · `data`: what an answer holds · `ping`, `pong` of the application ·
 * `hasLines`: a frame may hold several messages, one a line.
 */
const json = {
  path: () => '/',
  ask: (event, data) => `{"event":"${event}","data":${data}}`,
  tell: (event, data) => `{"event":"${event}","data":${data}}`,
  data: (text) => JSON.parse(text).data,
};

const socketio = {
  path: () => '/socket.io/?EIO=4&transport=websocket',
  hello: [{ begin: '0{', send: '40' }, { begin: '40{' }],
  // 4: a message, 2: an event, 7: the number of its answer.
  ask: (event, data) => `427["${event}",${data}]`,
  tell: (event, data) => `42["${event}",${data}]`,
  data: (text) => JSON.parse(text.slice(text.indexOf('[')))[0],
  ping: '2',
  pong: '3',
};

const centrifugo = {
  path: () => '/connection/websocket',
  first: '{"id":1,"connect":{}}',
  hello: [{ begin: '{"id":1' }],
  hasLines: true,
  ask: (event, data) =>
    event === 'join'
      ? `{"id":2,"subscribe":{"channel":"${roomOf(data)}"}}`
      : '{"id":9,"rpc":{"method":"none"}}',
  tell: (_event, data) => `{"id":3,"publish":{"channel":"${roomOf(data)}","data":${data}}}`,
  data: () => ({ ok: true }),
};

/** Ours, as a client without a session speaks it; each client is a user of its own. */
const wss = (publication) => ({
  path: (number) => `/?user=u${number}`,
  ask(event, data) {
    if (event === 'join') return `{"event":"$join","room":"bench:${roomOf(data)}","id":1}`;
    if (event === 'incr') return `{"event":"bench.incr","room":"bench:counter","id":1,"data":{}}`;
    return `{"event":"bench.${event}","id":1,"data":${data}}`;
  },
  tell: (_event, data) => `{"event":"bench.${publication}","room":"bench:${roomOf(data)}","data":${data}}`,
  data: (text) => {
    const { error, data } = JSON.parse(text);
    return error ? { error } : (data ?? {});
  },
});

export const WIRES = { json, socketio, centrifugo, wss: wss('pub'), 'wss volatile': wss('glimpse') };

function roomOf(data) {
  return /"room":"([^"]*)"/.exec(data)[1];
}

/** The wire and the checks of the servers that are written by hand. */
export function isText(value, longest) {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

export function isPublication({ room, t, n, p }) {
  return isText(room, 64) && Number.isInteger(t) && Number.isInteger(n) && isText(p, 4_096);
}

export function answer(socket, event, data) {
  socket.send(JSON.stringify({ event, data }));
}

export function refuse(socket) {
  answer(socket, 'exception', { message: 'invalid' });
}

/** The handlers that need neither rooms nor other nodes. */
export function plainHandlers({ commands, collect }) {
  return {
    echo(socket, { id, text }) {
      if (!Number.isInteger(id) || id < 0 || !isText(text, 200)) return refuse(socket);
      answer(socket, 'echo', { id, ok: true });
    },
    async incr(socket, { key }) {
      answer(socket, 'incr', { v: await commands.incr(key) });
    },
    collect(socket) {
      collect();
      answer(socket, 'collect', {});
    },
  };
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TemporaryFolder } from '../src/processes/temporary-folder.js';

/**
 * Prints the lines of a starting gateway, and behaves as the variable `FAKE` says: `broken` ends at once, `silent`
 * never gets ready, `stubborn` ignores SIGTERM. `GET /env` shows its environment; `GET /redis` sends PING to
 * `REDIS_SERVER`.
 */
const SOURCE = `
import { createServer } from 'node:http';
import { connect } from 'node:net';

const { FAKE, REDIS_SERVER } = process.env;
if (FAKE === 'broken') {
  console.error('WS_PATH must start with a slash');
  process.exit(1);
}
process.on('SIGTERM', () => {
  console.log('asked to stop');
  if (FAKE !== 'stubborn') process.exit(0);
});

function askRedis(response) {
  const { hostname, port } = new URL(REDIS_SERVER);
  const socket = connect(Number(port), hostname, () => socket.write('PING\\r\\n'));
  socket.on('data', (bytes) => socket.end(() => response.end(bytes)));
  socket.on('error', (error) => response.writeHead(503).end(error.code));
}

const server = createServer((request, response) => {
  if (request.url === '/env') response.end(JSON.stringify(process.env));
  else if (request.url === '/redis') askRedis(response);
  else response.end(request.url);
  console.log('answered ' + request.url);
});
server.listen(0, '127.0.0.1', () => {
  console.error('a warning on the other stream');
  if (FAKE !== 'silent') console.log('wss node n-' + process.pid + ' is ready: http://127.0.0.1:' + server.address().port + '/');
});
`;

/** Writes the script into the folder and returns its path. */
export function writeFakeGateway(folder: TemporaryFolder): string {
  const path = join(folder.path, 'fake-gateway.mjs');
  writeFileSync(path, SOURCE);
  return path;
}

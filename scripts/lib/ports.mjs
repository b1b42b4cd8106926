import { once } from 'node:events';
import { createServer } from 'node:net';

/** Asks the system for a TCP port that is free now. */
export async function freePort() {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

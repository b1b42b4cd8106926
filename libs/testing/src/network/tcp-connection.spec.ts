import { it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { eventually } from '../waiting/eventually.js';
import { TcpConnection } from './tcp-connection.js';

const rules = { swallows: () => false, latencyMs: () => 0 };

/** Both ends of a new connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ];
  client.on('error', () => undefined);
  server.close();
  return [client, socket];
}

it.each(['before', 'after'])('is gone when it is reset %s the end of a side was sent', async (when) => {
  const [[client, near], [far, server]] = [await pair(), await pair()];
  server.on('error', () => undefined);
  let gone = 0;
  const connection = new TcpConnection(near, far, { requests: rules, replies: rules }, () => gone++);
  far.end();
  if (when === 'after') await eventually(() => far.writableFinished);
  connection.reset();
  await eventually(() => gone === 1);
  for (const socket of [client, server]) socket.destroy();
});

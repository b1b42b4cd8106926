import { once } from 'node:events';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

const open = new Set<Socket>();

/** Options of a client of socket.io. */
export type SocketIoOptions = Partial<ManagerOptions & SocketOptions>;

/** Connects a client of socket.io to a namespace; it is gone after {@link closeSocketIo}. */
export function socketIo(port: number, namespace = '/', options: SocketIoOptions = {}): Promise<Socket> {
  const socket = beginSocketIo(port, namespace, options);
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
}

/** The same, without waiting: for listeners that must not miss an event. */
export function beginSocketIo(port: number, namespace = '/', options: SocketIoOptions = {}): Socket {
  const socket = io(`http://127.0.0.1:${port}${namespace}`, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
    ...options,
  });
  open.add(socket);
  return socket;
}

export function closeSocketIo(): void {
  for (const socket of open) socket.disconnect();
  open.clear();
}

/** Waits for an event of a client and returns its arguments. */
export function received(socket: Socket, event: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)));
}

/** Waits until a client that began with long-polling uses a WebSocket. */
export async function upgraded({ io: { engine } }: Socket): Promise<void> {
  if (engine.transport.name !== 'websocket') await once(engine as never, 'upgrade');
}

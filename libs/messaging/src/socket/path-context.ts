import type { RawData } from 'ws';
import type { ClientSocket } from './client-socket.js';
import type { CommandRouter } from '../commands/command-router.js';

/** State that the sockets of one path have in common. */
export interface PathContext {
  /** Reads a message and takes it to its handler. */
  readonly reader: {
    read(client: ClientSocket, data: RawData, isBinary: boolean, router: CommandRouter | undefined): void;
  };
  readonly connections: {
    end(client: ClientSocket, code: number): void;
    overflowed(client: ClientSocket): void;
    drained(client: ClientSocket): void;
  };
  /** Disconnect hooks under way; whoever closes the server waits for them. */
  readonly cleanUps: Set<Promise<unknown>>;
  /** Set where the path is served by the router. */
  readonly router?: CommandRouter;
}

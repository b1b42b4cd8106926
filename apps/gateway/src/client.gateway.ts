import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import { ClientConnections } from '@wss/messaging';
import { Config } from './config.js';
import { Readiness } from './readiness.js';

/** The one gateway: its path is served by the command router, and it lets clients go when the node stops. */
@Injectable()
export class ClientGateway implements OnModuleDestroy, BeforeApplicationShutdown {
  constructor(
    private readonly connections: ClientConnections,
    private readonly readiness: Readiness,
    private readonly config: Config,
  ) {}

  onModuleDestroy(): void {
    this.readiness.drain();
    this.connections.refuseAll();
  }

  async beforeApplicationShutdown(): Promise<void> {
    // What is left after that is cut by Nest.
    await this.connections.closeAll(1012, this.config.SHUTDOWN_TIMEOUT_MS / 2);
  }
}

/** The gateway on the configured path; Nest wants it in the decorator. */
export function clientGatewayAt(path: string): Type<ClientGateway> {
  @WebSocketGateway({ path, commands: true })
  class ConfiguredClientGateway extends ClientGateway {}
  return ConfiguredClientGateway;
}

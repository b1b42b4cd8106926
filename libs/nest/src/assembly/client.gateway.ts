import { Injectable, type Type } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';

/** The one gateway of this library: the command router serves its path. */
@Injectable()
export class ClientGateway {
  /** The server that the application's WebSocket adapter made for the path. */
  server?: unknown;

  afterInit(server: unknown): void {
    this.server = server;
  }
}

/** Makes the gateway of one module. It has no path yet, and no server without {@link serveAt}. */
export function newGateway(): Type<ClientGateway> {
  @Injectable()
  class WssGateway extends ClientGateway {}
  return WssGateway;
}

/** Gives a gateway its path, which Nest takes from the decorator only. */
export function serveAt(path: string, gateway: Type<ClientGateway>): void {
  WebSocketGateway({ path, commands: true } as object)(gateway);
}

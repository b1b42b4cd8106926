import { Injectable } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { WebSocketGateway } from '@nestjs/websockets';

/** The one gateway of this library: the command router serves its path. It has none until {@link serveAt} gives it one. */
@Injectable()
export class ClientGateway {
  /** The server that the application's WebSocket adapter made for the path. */
  server?: unknown;

  afterInit(server: unknown): void {
    this.server = server;
  }
}

/**
 * Gives the gateway of an application its path. Nest takes it from the decorator of the class only, and applications of
 * one process may have different ones, so each gets a class of its own.
 */
export function serveAt(path: string, modules: ModulesContainer): void {
  @WebSocketGateway({ path, commands: true } as object)
  class WssGateway extends ClientGateway {}
  for (const { providers } of modules.values()) {
    const wrapper = providers.get(ClientGateway);
    if (wrapper) wrapper.metatype = WssGateway;
  }
}

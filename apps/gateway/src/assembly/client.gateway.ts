import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import { Drain } from '@wss/messaging';
import { Readiness } from '../health/readiness.js';

/** Time for the remaining clients when the application is closed without a drain, ms. */
const CLOSE_MS = 5_000;

/** The one gateway: its path is served by the command router, and no client outlives it without a close frame. */
@Injectable()
export class ClientGateway implements OnModuleDestroy, BeforeApplicationShutdown {
  constructor(
    private readonly drain: Drain,
    private readonly readiness: Readiness,
  ) {}

  onModuleDestroy(): void {
    this.readiness.drain();
    this.drain.refuseNew();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain.run({ windowMs: 0, deadline: performance.now() + CLOSE_MS });
  }
}

/** Creates the gateway on the configured path, which Nest takes from the decorator only. */
export function clientGatewayAt(path: string): Type<ClientGateway> {
  @WebSocketGateway({ path, commands: true })
  class ConfiguredClientGateway extends ClientGateway {}
  return ConfiguredClientGateway;
}

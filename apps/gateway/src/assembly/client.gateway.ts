import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import { Drain } from '@wss/messaging';
import { Readiness } from '../health/readiness.js';

/** How long clients have that are left when the application is closed without a drain before, ms. */
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

/** The gateway on the configured path; Nest wants it in the decorator. */
export function clientGatewayAt(path: string): Type<ClientGateway> {
  @WebSocketGateway({ path, commands: true })
  class ConfiguredClientGateway extends ClientGateway {}
  return ConfiguredClientGateway;
}

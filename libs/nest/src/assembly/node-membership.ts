import type { Server } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ClusterTransport } from '@wss/cluster';
import { RoomTypeRegistry } from '@wss/core';
import { CommandRouter } from '@wss/messaging';
import { stackOf } from '@wss/protocol';
import { Engine } from '../engine/engine.js';

/**
 * The node as a member of the cluster: it holds its lease, hears events and calls, and takes jobs. While it is one, it
 * keeps the process alive.
 *
 * A node whose HTTP server can't listen leaves the cluster again, since nothing says if its application will ever be
 * closed. If the server listens later, the node joins again.
 */
@Injectable()
export class NodeMembership {
  private readonly logger = new Logger('Node');
  private joined = false;
  private changing: Promise<void> = Promise.resolve();

  constructor(
    private readonly engine: Engine,
    private readonly transport: ClusterTransport,
    private readonly router: CommandRouter,
    private readonly types: RoomTypeRegistry,
    private readonly host: HttpAdapterHost,
  ) {}

  get isJoined(): boolean {
    return this.joined;
  }

  /** @throws Error when the engine is out of reach, or the handlers of events can't work together */
  async join(): Promise<void> {
    // Before the first client comes, the other nodes know what it may send here.
    await this.engine.registry.describe({
      events: this.router.contract,
      rooms: [...this.types.all().keys()],
    });
    await new Promise<void>((resolve, reject) => {
      this.transport.listen((error) => (error === undefined ? resolve() : reject(error as Error)));
    });
    this.joined = true;
    this.engine.holdProcess(true);
  }

  /** Leaves for good. Never throws. */
  async leave(): Promise<void> {
    await this.changing;
    await this.quit();
  }

  /** Leaves when the server fails to listen, and joins again when it listens after that. */
  followListening(): void {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    if (!server || server.listening) return;
    const onFailure = (): void => this.change(() => this.quit());
    server.on('error', onFailure);
    server.once('listening', () => {
      // From now on its errors are those of a server that serves, which end the process as ever.
      server.off('error', onFailure);
      this.change(() => (this.joined ? Promise.resolve() : this.join()));
    });
  }

  private change(work: () => Promise<void>): void {
    this.changing = this.changing.then(work).catch((error: unknown) => {
      this.logger.error(`this node is not a member of the cluster, so it is not ready: ${stackOf(error)}`);
    });
  }

  private async quit(): Promise<void> {
    if (!this.joined) return;
    this.joined = false;
    await this.transport.close();
    this.engine.holdProcess(false);
  }
}

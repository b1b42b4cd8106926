import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import { Config } from '../config.js';
import { Metrics } from './metrics.js';

/** Answers operators on a port of its own that clients can't reach, until the node has ended. */
@Injectable()
export class ManagementServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Management');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly server: Server;

  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
  ) {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  /** @throws Error when the port is taken */
  async onApplicationBootstrap(): Promise<void> {
    const { MANAGEMENT_PORT = 0, MANAGEMENT_TOKEN } = this.config;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(MANAGEMENT_PORT, this.host, resolve);
    });
    const { port } = this.server.address() as AddressInfo;
    const token = MANAGEMENT_TOKEN === undefined ? 'without a token' : 'with the token';
    this.logger.log(`metrics, ${token}: http://127.0.0.1:${port}/metrics`);
  }

  async onApplicationShutdown(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** A port that was not configured is for this machine only. */
  private get host(): string {
    return this.config.MANAGEMENT_PORT === undefined ? '127.0.0.1' : this.config.SERVER_HOST;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!this.mayAsk(request)) {
        response.setHeader('WWW-Authenticate', 'Bearer');
        return end(response, 401, 'the token is missing or wrong\n');
      }
      if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
        return end(response, 404, 'only GET /metrics is served here\n');
      }
      const { registry } = this.metrics;
      const text = await registry.metrics();
      response.setHeader('Content-Type', registry.contentType);
      end(response, 200, text);
    } catch (error) {
      this.faults.report(kindOf(error), stackOf(error));
      end(response, 500, 'internal error\n');
    }
  }

  private mayAsk({ headers }: IncomingMessage): boolean {
    const { MANAGEMENT_TOKEN } = this.config;
    if (MANAGEMENT_TOKEN === undefined) return true;
    const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(given), digest(MANAGEMENT_TOKEN));
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.end(text);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

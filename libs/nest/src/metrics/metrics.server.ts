import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import { type AsyncApiInfo, ContractExplorer, toAsyncApi } from '@wss/contract';
import { Metrics } from './metrics.js';

/** A server of metrics, and of the contract. */
export abstract class MetricsServerOptions {
  /** TCP port; 0: a random free one, which the log names. */
  abstract readonly port: number;
  /** Address to listen on. Default `127.0.0.1`, this machine only. */
  abstract readonly host?: string;
  /** Token that requests must carry (`Authorization: Bearer …`). Default none. */
  abstract readonly token?: string;
  /** Title and version of the document at `/asyncapi.json`. Default `contract`, `1.0.0`. */
  abstract readonly info?: AsyncApiInfo;
}

/** An answer to an operator. */
interface OperatorPage {
  readonly type: string;
  readonly text: string;
}

/** Answers operators on a port of its own that clients can't reach, until the node has ended. */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Management');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly server: Server;
  private document?: OperatorPage;

  constructor(
    private readonly options: MetricsServerOptions,
    private readonly metrics: Metrics,
    private readonly contract: ContractExplorer,
  ) {
    // It keeps no process alive: a start that failed after it ends by itself.
    this.server = createServer((request, response) => void this.answer(request, response)).unref();
  }

  /** Where it listens, once it does. */
  get url(): string | undefined {
    const address = this.server.address() as AddressInfo | null;
    return address ? `http://${reachable(address)}:${address.port}/metrics` : undefined;
  }

  /** @throws Error when the port is taken */
  async onApplicationBootstrap(): Promise<void> {
    const { port, host = '127.0.0.1', token } = this.options;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(port, host, resolve);
    });
    const asked = token === undefined ? 'without a token' : 'with the token';
    this.logger.log(`metrics, ${asked}: ${this.url}`);
  }

  async onApplicationShutdown(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!this.mayAsk(request)) {
        response.setHeader('WWW-Authenticate', 'Bearer');
        return end(response, 401, 'the token is missing or wrong\n');
      }
      const page = request.method === 'GET' ? await this.pageAt(request.url?.split('?')[0]) : undefined;
      if (!page) return end(response, 404, 'only GET /metrics and GET /asyncapi.json are served here\n');
      response.setHeader('Content-Type', page.type);
      end(response, 200, page.text);
    } catch (error) {
      this.faults.report(kindOf(error), stackOf(error));
      end(response, 500, 'internal error\n');
    }
  }

  private async pageAt(path: string | undefined): Promise<OperatorPage | undefined> {
    const { registry } = this.metrics;
    if (path === '/metrics') return { type: registry.contentType, text: await registry.metrics() };
    return path === '/asyncapi.json' ? (this.document ??= this.documentPage()) : undefined;
  }

  /** For developers of clients, who get it by `wss-contract pull` where clients need a token. */
  private documentPage(): OperatorPage {
    const { info = { title: 'contract', version: '1.0.0' } } = this.options;
    const text = JSON.stringify(toAsyncApi(this.contract.contract(), info));
    return { type: 'application/json; charset=utf-8', text };
  }

  private mayAsk({ headers }: IncomingMessage): boolean {
    const { token } = this.options;
    if (token === undefined) return true;
    const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(given), digest(token));
  }
}

/** An address by which this machine reaches a server. */
function reachable({ address, family }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return '127.0.0.1';
  return family === 'IPv6' ? `[${address}]` : address;
}

function end(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.end(text);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import type { ServerResponse } from 'node:http';
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  type HttpServer,
  Inject,
  Injectable,
  Logger,
  Optional,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { BaseWsExceptionFilter, WsException } from '@nestjs/websockets';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import { type Observable, throwError } from 'rxjs';
import { GatewayError } from './errors/gateway-error.js';
import { HandlerExecution } from './handlers/handler-execution.js';

/** The part of Nest's HTTP adapters that answers requests. */
type Answering = Pick<HttpServer, 'isHeadersSent' | 'setHeader' | 'reply' | 'end'>;

/** A response as Express and Fastify have it. */
interface PlainResponse {
  /** Fastify's response of Node. */
  readonly raw?: ServerResponse;
  readonly headersSent?: boolean;
  header(name: string, value: string): unknown;
  status(code: number): { send(body: object): unknown };
  end?(): unknown;
}

/** Answers without an adapter, for a filter that Nest did not make. */
const PLAIN: Answering = {
  isHeadersSent: ({ raw, headersSent }: PlainResponse) => raw?.headersSent ?? headersSent ?? false,
  setHeader: (response: PlainResponse, name: string, value: string) => response.header(name, value),
  reply: (response: PlainResponse, body: object, status: number) => response.status(status).send(body),
  end: (response: PlainResponse) => (response.raw ?? response).end?.(),
};

/**
 * Answers HTTP requests whose handler threw a {@link GatewayError}: with the status of its code, and its form on the wire
 * as the body: `{ code, message, retry, details?, applied? }`. A `Retry-After` in seconds is added if the error says when
 * to retry. The cause of an `internal` error is logged; the client sees none of it.
 *
 * Use it for all handlers (`{ provide: APP_FILTER, useClass: GatewayErrorFilter }`, or
 * `app.useGlobalFilters(new GatewayErrorFilter())`) or with `@UseFilters(GatewayErrorFilter)`.
 *
 * Commands, and cluster events, calls and jobs are answered as without it. Gateways of Nest send the same body as an
 * `exception` event, other microservices answer with it, and in other contexts (GraphQL) the error is thrown on.
 */
@Catch(GatewayError)
@Injectable()
export class GatewayErrorFilter implements ExceptionFilter<GatewayError> {
  private readonly logger = new Logger('GatewayErrorFilter');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly gateways = new BaseWsExceptionFilter();

  constructor(@Optional() @Inject(HttpAdapterHost) private readonly adapters?: HttpAdapterHost) {}

  /** @throws the error itself, in a context that is neither `http`, `ws` nor `rpc` */
  catch(error: GatewayError, host: ArgumentsHost): Observable<never> | void {
    // The router and the cluster answer with the error that no filter answers.
    if (host instanceof HandlerExecution) return;
    const body = error.toBody();
    const type = host.getType();
    if (type === 'rpc') return throwError(() => body);
    if (type === 'ws') return this.gateways.catch(new WsException(body), host);
    if (type !== 'http') throw error;
    if (error.code === 'internal') this.log(error, host.switchToHttp().getRequest<{ method?: string }>());
    this.answer(error, host.switchToHttp().getResponse());
  }

  private answer(error: GatewayError, response: unknown): void {
    const adapter: Answering = this.adapters?.httpAdapter ?? PLAIN;
    if (adapter.isHeadersSent(response)) return void adapter.end(response);
    const seconds = retryAfter(error);
    if (seconds !== undefined) adapter.setHeader(response, 'Retry-After', String(seconds));
    adapter.reply(response, error.toBody(), error.status);
  }

  private log(error: GatewayError, { method = 'request' }: { method?: string }): void {
    const cause = error.cause ?? error;
    this.faults.report(kindOf(cause), `an HTTP ${method} failed: ${stackOf(cause)}`);
  }
}

/** Seconds after which a retry may help, if the error says so. */
function retryAfter({ details }: GatewayError): number | undefined {
  const retryInMs = details?.find((detail) => detail.retryInMs !== undefined)?.retryInMs;
  return retryInMs === undefined ? undefined : Math.ceil(retryInMs / 1_000);
}

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import type { Server } from 'node:http';
import {
  type ArgumentsHost,
  Controller,
  Get,
  type INestApplication,
  Logger,
  Module,
  Param,
  type Provider,
  Res,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { ClientTCP, MessagePattern, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ERROR_CODES, type ErrorCode } from '@wss/protocol';
import { firstValueFrom } from 'rxjs';
import { GatewayError, GatewayErrorFilter } from '../src/index.js';

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

/** Each code with its status, written once more: a change is one of the public contract. */
const STATUS: Readonly<Record<string, number>> = {
  bad_frame: 400,
  unknown_event: 404,
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  rejected: 422,
  conflict: 409,
  out_of_order: 409,
  number_reused: 422,
  session_expired: 410,
  limit: 409,
  rate_limited: 429,
  too_large: 413,
  unavailable: 503,
  unknown_outcome: 504,
  internal: 500,
};

const DETAILS = [{ path: 'text', message: 'is too long' }];

/** Errors that need more than a code. */
const ERRORS: Readonly<Record<string, GatewayError>> = {
  late: new GatewayError('unavailable', 'come back', { details: [{ retryInMs: 1_200 }] }),
  applied: new GatewayError('unknown_outcome', 'written', { applied: true, cause: new Error('secret') }),
  bug: new GatewayError('internal', 'internal error', { cause: new RangeError('secret') }),
};

@Controller()
class ErrorController {
  @Get('errors/:code')
  fail(@Param('code') code: ErrorCode): never {
    throw ERRORS[code] ?? new GatewayError(code, `an error: ${code}`, { details: DETAILS });
  }

  @Get('filtered/:code')
  @UseFilters(GatewayErrorFilter)
  filtered(@Param('code') code: ErrorCode): never {
    return this.fail(code);
  }

  @Get('half')
  half(@Res() reply: { raw: NodeJS.WritableStream & { writeHead(status: number): void } }): never {
    reply.raw.writeHead(200);
    reply.raw.write('half');
    throw new GatewayError('conflict', 'too late');
  }

  @Get('other')
  other(): never {
    throw new RangeError('not ours');
  }

  @MessagePattern('fail')
  @UseFilters(GatewayErrorFilter)
  rpc(): never {
    throw new GatewayError('not_found', 'no such word', { details: DETAILS });
  }
}

let app: INestApplication;
let lines: string[];

async function start(providers: Provider[], configure: (app: INestApplication) => unknown = () => 0) {
  @Module({ providers, controllers: [ErrorController] })
  class RootModule {}
  app = await NestFactory.create(RootModule, new FastifyAdapter(), { abortOnError: false });
  configure(app);
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
}

beforeEach(() => {
  lines = [];
  const into = (message: unknown): void => void lines.push(String(message));
  Logger.overrideLogger({ log: () => undefined, error: into, warn: into });
});
afterEach(async () => {
  Logger.overrideLogger(['error', 'fatal']);
  await app.close();
});

const portOf = (): number => ((app.getHttpServer() as Server).address() as AddressInfo).port;

const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${portOf()}/${path}`);

/** The ways to install the filter, each with the path of handlers that it is for. */
const WAYS: [string, string, Provider[], (app: INestApplication) => unknown][] = [
  ['APP_FILTER', 'errors', [{ provide: APP_FILTER, useClass: GatewayErrorFilter }], () => 0],
  ['useGlobalFilters', 'errors', [], (app) => app.useGlobalFilters(new GatewayErrorFilter())],
  ['@UseFilters', 'filtered', [], () => 0],
];

describe.each(WAYS)('GatewayErrorFilter by %s', (_name, path, providers, configure) => {
  beforeEach(() => start(providers, configure));

  it('answers every code with its status and the form on the wire', async () => {
    for (const code of CODES) {
      const response = await get(`${path}/${code}`);
      expect([code, response.status]).toEqual([code, STATUS[code]]);
      expect(await response.json()).toEqual({
        code,
        message: `an error: ${code}`,
        details: DETAILS,
        retry: ERROR_CODES[code].retry,
      });
      expect(response.headers.get('retry-after')).toBeNull();
    }
    expect(Object.keys(STATUS).sort()).toEqual([...CODES].sort());
    expect(lines).toHaveLength(1);
  });

  it('says when to retry, rounded up to seconds', async () => {
    const response = await get(`${path}/late`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
  });

  it('says what took effect', async () => {
    expect(await (await get(`${path}/applied`)).json()).toMatchObject({ applied: true });
  });

  it('logs the cause of an internal error once a period, and shows none of it', async () => {
    for (let count = 0; count < 3; count++)
      expect(await (await get(`${path}/bug`)).text()).not.toContain('secret');
    expect(lines).toEqual([expect.stringMatching(/^an HTTP GET failed: RangeError: secret/)]);
  });
});

describe('GatewayErrorFilter', () => {
  const everywhere: Provider[] = [{ provide: APP_FILTER, useClass: GatewayErrorFilter }];

  it('ends an answer that has begun', async () => {
    await start(everywhere);
    const socket = connectTcp(portOf(), '127.0.0.1');
    socket.write('GET /half HTTP/1.0\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nhalf$/s);
  });

  it('leaves other errors to Nest', async () => {
    await start(everywhere);
    expect(await (await get('other')).json()).toEqual({ statusCode: 500, message: 'Internal server error' });
  });

  it('answers calls of other microservices with the form on the wire', async () => {
    await start(everywhere, (each) => {
      each.connectMicroservice<MicroserviceOptions>({
        transport: Transport.TCP,
        options: { port: 0, host: '127.0.0.1' },
      });
    });
    const [microservice] = (
      app as unknown as { getMicroservices(): { unwrap<T>(): T }[] }
    ).getMicroservices();
    const { port } = microservice!.unwrap<Server>().address() as AddressInfo;
    const client = new ClientTCP({ port, host: '127.0.0.1' });
    await expect(firstValueFrom(client.send('fail', {}))).rejects.toEqual({
      code: 'not_found',
      message: 'no such word',
      details: DETAILS,
      retry: false,
    });
    client.close();
  });

  it('throws the error on in contexts that it does not know', async () => {
    await start([]);
    const host = { getType: () => 'graphql' } as ArgumentsHost;
    const error = new GatewayError('conflict', 'not now');
    expect(() => new GatewayErrorFilter().catch(error, host)).toThrow(error);
  });
});

describe('the table of statuses in docs/enhancers.md', () => {
  it('has each code with its status', async () => {
    await start([]);
    const rows = [...readFileSync('docs/enhancers.md', 'utf8').matchAll(/^\| (\d{3}) \| (.*) \|$/gm)];
    const listed = rows.flatMap(([, status, codes]) =>
      codes!.split(', ').map((code) => [code.replaceAll('`', ''), Number(status)]),
    );
    expect(Object.fromEntries(listed)).toEqual(STATUS);
    expect(listed).toHaveLength(CODES.length);
  });
});

describe('a GatewayError over HTTP without the filter', () => {
  it('has the status of its code and its message', async () => {
    await start([]);
    for (const code of CODES) {
      const response = await get(`errors/${code}`);
      const message = code === 'internal' ? 'Internal Server Error' : `an error: ${code}`;
      expect([response.status, await response.json()]).toEqual([
        STATUS[code],
        { statusCode: STATUS[code], message },
      ]);
    }
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  Scope,
  UnauthorizedException,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, GatewayError, HandlerOptions, RoomType } from '@wss/core';
import type { TestClient } from '@wss/testing';
import { IsString } from 'class-validator';
import { map, NEVER, type Observable, of, throwError } from 'rxjs';
import { type CapturedLogs, captureLogs, releaseLogs } from '../captured-logs.js';
import { NativeApp } from '../native/native-app.js';
import { routerModule } from '../test-ports.js';

@WebSocketGateway({ commands: true })
class RouterGateway {}

class Words {
  @IsString()
  text!: string;
}

@Injectable()
@RoomType('talk', { openToAll: true, presence: true })
class TalkHandlers {
  @SubscribeMessage('talk.say')
  say(@MessageBody() { text }: Words): object {
    return { text };
  }

  @SubscribeMessage('talk.fail')
  fail(): never {
    throw new TypeError('a bug');
  }

  @SubscribeMessage('talk.refuse')
  refuse(): never {
    throw new GatewayError('conflict', 'not now');
  }
}

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

async function connect(...providers: Provider[]): Promise<TestClient> {
  const module = routerModule({ providers: [RouterGateway, TalkHandlers, ...providers] });
  native = await NativeApp.start(module);
  return native.client('/', { protocols: ['wss.v1'] });
}

const ROOM = { room: 'talk:1' };

/** The answers that a client gets for the events of the system, one after the other. */
async function systemAnswers(client: TestClient): Promise<unknown[]> {
  const asked: [string, object, object][] = [
    ['$ping', {}, {}],
    ['$join', {}, ROOM],
    ['$presence', {}, ROOM],
    ['$auth', { token: 't' }, {}],
    ['$join', { seq: -1 }, ROOM],
    ['$skip', {}, ROOM],
    ['$leave', {}, ROOM],
    ['$unknown', {}, {}],
  ];
  const answers: unknown[] = [];
  for (const [event, data, options] of asked) {
    const { data: reply, error } = await client.request(event, data, options);
    answers.push([event, reply, error]);
  }
  return answers;
}

@Injectable()
class DenyingGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class RaisingGuard implements CanActivate {
  canActivate(): never {
    throw new RangeError('no');
  }
}

@Injectable()
class EndlessInterceptor implements NestInterceptor {
  intercept(): Observable<never> {
    return NEVER;
  }
}

@Injectable()
class RaisingPipe implements PipeTransform {
  transform(): never {
    throw new RangeError('no');
  }
}

@Catch()
class SwallowingFilter implements ExceptionFilter {
  catch(): string {
    return 'swallowed';
  }
}

const HOSTILE: [string, Provider][] = [
  ['a guard that denies', { provide: APP_GUARD, useClass: DenyingGuard }],
  ['a guard that throws', { provide: APP_GUARD, useClass: RaisingGuard }],
  ['an interceptor that never ends', { provide: APP_INTERCEPTOR, useClass: EndlessInterceptor }],
  ['a pipe that throws', { provide: APP_PIPE, useClass: RaisingPipe }],
  ['a filter that swallows errors', { provide: APP_FILTER, useClass: SwallowingFilter }],
  ['a guard for each request', { provide: APP_GUARD, useClass: DenyingGuard, scope: Scope.REQUEST }],
];

describe('global enhancers and the events of the system', () => {
  it.each(HOSTILE)('%s touches none of them', async (_name, hostile) => {
    captureLogs();
    const expected = await systemAnswers(await connect());
    await native!.stop();
    expect(await systemAnswers(await connect(hostile))).toEqual(expected);
  });

  it('touch no command either with globalEnhancers: false', async () => {
    const logs = captureLogs();
    const options = bindValue(HandlerOptions, { globalEnhancers: false });
    const client = await connect(options, ...HOSTILE.map(([, hostile]) => hostile));
    expect(await client.command('talk.say', { text: 'x' }, ROOM)).toEqual({ text: 'x' });
    expect((await client.request('talk.refuse', {}, ROOM)).error).toMatchObject({ code: 'conflict' });
    expect(logs.warn).toEqual([]);
  });

  it('run on commands with globalEnhancers: true', async () => {
    const options = bindValue(HandlerOptions, { globalEnhancers: true });
    const client = await connect(options, { provide: APP_GUARD, useClass: DenyingGuard });
    expect((await client.request('talk.say', { text: 'x' }, ROOM)).error).toMatchObject({
      code: 'forbidden',
    });
  });

  it('are named at the boot when they run on no command because they are request-scoped', async () => {
    const logs = captureLogs();
    await connect({ provide: APP_GUARD, useClass: DenyingGuard, scope: Scope.REQUEST });
    expect(logs.warn).toEqual([
      expect.stringMatching(/^DenyingGuard: request-scoped .* do not run on commands/),
    ]);
  });
});

interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
}

const bearer = (context: ExecutionContext): string =>
  context.switchToHttp().getRequest<HttpRequest>().headers['authorization']!;

/** Each would be right for an HTTP request, and keeps every command from being done. */
const FOR_HTTP: [string, (context: ExecutionContext, next: CallHandler) => unknown, string][] = [
  ['guard', (context) => bearer(context).startsWith('Bearer'), 'internal'],
  ['guard', async (context) => Promise.resolve(bearer(context) !== ''), 'internal'],
  ['guard', (context) => of(1).pipe(map(() => bearer(context) !== '')), 'internal'],
  ['guard', (context) => Promise.reject(new Error(context.getType())), 'internal'],
  ['guard', () => throwError(() => new Error('no')), 'internal'],
  ['guard', (context) => 'role' in context.switchToHttp().getRequest<object>(), 'forbidden'],
  ['guard', (context) => Promise.resolve('role' in context.switchToHttp().getRequest<object>()), 'forbidden'],
  ['guard', (context) => of('role' in context.switchToHttp().getRequest<object>()), 'forbidden'],
  [
    'guard',
    (context) => {
      if (!('role' in context.switchToHttp().getRequest<object>()))
        throw new UnauthorizedException('sign in');
      return true;
    },
    'unauthenticated',
  ],
  ['interceptor', (context, next) => (bearer(context), next.handle()), 'internal'],
  ['interceptor', async (context, next) => Promise.resolve((bearer(context), next.handle())), 'internal'],
  ['interceptor', (context, next) => next.handle().pipe(map(() => bearer(context))), 'internal'],
  [
    'interceptor',
    (context) => {
      context.switchToHttp().getResponse();
      throw new ForbiddenException('no');
    },
    'forbidden',
  ],
  ['pipe', (value) => (value as unknown as { query: { page: string } }).query.page, 'internal'],
  ['pipe', (value) => Promise.reject(new TypeError(typeof value)), 'internal'],
];

const TOKENS: Readonly<Record<string, string>> = {
  guard: APP_GUARD,
  interceptor: APP_INTERCEPTOR,
  pipe: APP_PIPE,
};

function enhancer(kind: string, run: (...args: never[]) => unknown): Provider {
  @Injectable()
  class HttpEnhancer {
    readonly canActivate = run;
    readonly intercept = run;
    readonly transform = run;
  }
  return { provide: TOKENS[kind]!, useClass: HttpEnhancer };
}

const named = ({ error }: CapturedLogs): string[] => error.filter((line) => line.includes('globalEnhancers'));

describe('a global enhancer that was written for HTTP', () => {
  it.each(FOR_HTTP)('a %s, %s, is named once, and the client is answered: %s', async (kind, run, code) => {
    const logs = captureLogs();
    const client = await connect(enhancer(kind, run));
    for (let count = 0; count < 3; count++) {
      const { error } = await client.request('talk.say', { text: 'x' }, ROOM);
      expect(error).toMatchObject({ code });
      if (code === 'internal') expect(error).toMatchObject({ message: 'internal error' });
    }
    expect(named(logs)).toEqual([
      expect.stringMatching(new RegExp(`^HttpEnhancer, a global ${kind}, .* globalEnhancers: false$`)),
    ]);
    expect(await systemAnswers(client)).toContainEqual(['$ping', {}, undefined]);
  });

  it('is named by its kind if it has no class', async () => {
    const logs = captureLogs();
    const guards = [1, 2].map(() => ({ canActivate: (context: ExecutionContext) => bearer(context) !== '' }));
    const module = routerModule({ providers: [RouterGateway, TalkHandlers] });
    native = await NativeApp.start({ ...module, configure: (app) => app.useGlobalGuards(...guards) });
    const client = await native.client();
    await client.request('talk.say', { text: 'x' }, ROOM);
    await client.request('talk.fail', {}, ROOM);
    expect(named(logs)).toEqual([
      expect.stringMatching(/^a global guard asked for an HTTP request and failed/),
    ]);
  });
});

/** None of these is at fault. */
const FAULTLESS: [string, (context: ExecutionContext, next: CallHandler) => unknown][] = [
  ['guard', (context) => context.getType() !== 'ws'],
  ['guard', () => Promise.reject(new ForbiddenException('no'))],
  ['guard', (context) => context.switchToHttp().getRequest<object>() !== undefined],
  ['interceptor', (_context, next) => next.handle()],
  ['interceptor', (context, next) => (context.switchToHttp().getRequest(), next.handle())],
  [
    'interceptor',
    () => {
      throw new GatewayError('rate_limited', 'later');
    },
  ],
  ['pipe', (value) => value],
];

describe('a global enhancer that knows of commands', () => {
  it.each(FAULTLESS)('a %s, %s, is not named, whatever the handler throws', async (kind, run) => {
    const logs = captureLogs();
    const client = await connect(enhancer(kind, run));
    for (const event of ['talk.say', 'talk.fail', 'talk.refuse']) {
      await client.request(event, { text: 'x' }, ROOM);
    }
    expect(named(logs)).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_GUARD, APP_PIPE, DiscoveryModule } from '@nestjs/core';
import { MessageBody } from '@nestjs/websockets';
import { PARAM_ARGS_METADATA } from '@nestjs/websockets/constants.js';
import { Test } from '@nestjs/testing';
import type { Observable } from 'rxjs';
import { RpcParamsFactory, WsParamsFactory } from '../validation/params-factories.js';
import { bindValue } from '../bind.js';
import { HandlerContexts } from './handler-contexts.js';
import { HandlerOptions } from './handler-options.js';

@Catch()
class Answering implements ExceptionFilter {
  constructor(private readonly answer: unknown) {}

  catch(): unknown {
    return this.answer;
  }
}

class Handlers {
  @UseFilters(new Answering({ answered: true }))
  answered(): void {
    throw new Error('answered');
  }

  @UseFilters(new Answering(null))
  nothing(): void {
    throw new Error('nothing');
  }

  unfiltered(): void {
    throw new Error('unfiltered');
  }
}

describe('a handler with filters', () => {
  async function call(method: 'answered' | 'nothing' | 'unfiltered'): Promise<unknown> {
    const providers = [HandlerContexts, Handlers];
    const module = await Test.createTestingModule({ imports: [DiscoveryModule], providers }).compile();
    const handlers = module.get(Handlers);
    const params = new WsParamsFactory();
    const contexts = module.get(HandlerContexts);
    const run = contexts.create(
      {
        instance: handlers,
        class: Handlers,
        method,
        callback: handlers[method],
        metadata: undefined,
        controller: false,
      },
      { type: 'ws', paramsKey: PARAM_ARGS_METADATA, params, commands: true },
    );
    return run({}, {});
  }

  it('answers as its filter says', async () => {
    await expect(call('answered')).resolves.toEqual({ answered: true });
  });

  it.each(['nothing', 'unfiltered'] as const)('fails with its own error: %s', async (method) => {
    await expect(call(method)).rejects.toThrow(method);
  });
});

describe('a method for commands and for events', () => {
  class Both {
    both(@MessageBody() data: unknown): unknown {
      return data;
    }
  }

  it('takes its data from the place where each has it', async () => {
    const providers = [HandlerContexts, Both];
    const module = await Test.createTestingModule({ imports: [DiscoveryModule], providers }).compile();
    const instance = module.get(Both);
    const method = { instance, class: Both, method: 'both', callback: instance.both };
    const found = { ...method, metadata: undefined, controller: false };
    const contexts = module.get(HandlerContexts);
    const run = (type: 'ws' | 'rpc', commands: boolean) => {
      const params = type === 'ws' ? new WsParamsFactory() : new RpcParamsFactory();
      return contexts.create(found, { type, paramsKey: PARAM_ARGS_METADATA, params, commands });
    };
    const [command, event, system] = [run('ws', true), run('rpc', false), run('ws', false)];
    expect(await command('client', 'data')).toBe('data');
    expect(await event('data', 'context')).toBe('data');
    expect(await system('client', 'data')).toBe('data');
  });
});

describe('a handler without wrappers', () => {
  class Pipe implements PipeTransform {
    transform(value: unknown): unknown {
      return value;
    }
  }
  class Guard implements CanActivate {
    canActivate(): boolean {
      return true;
    }
  }
  class Interceptor implements NestInterceptor {
    intercept(_context: unknown, next: CallHandler): Observable<unknown> {
      return next.handle();
    }
  }

  class Handlers {
    bare(@MessageBody() data: unknown): unknown {
      return data;
    }
    @UseGuards(Guard)
    guarded(): void {}
    @UsePipes(Pipe)
    piped(): void {}
    read(@MessageBody(Pipe) data: unknown): unknown {
      return data;
    }
    @UseInterceptors(Interceptor)
    intercepted(): void {}
    @UseFilters(new Answering(null))
    filtered(): void {}
  }

  async function isWrapped(options: Provider[] = []): Promise<Record<string, boolean>> {
    const providers = [HandlerContexts, Handlers, ...options];
    const module = await Test.createTestingModule({ imports: [DiscoveryModule], providers }).compile();
    const instance = module.get(Handlers);
    const contexts = module.get(HandlerContexts);
    const methods = ['bare', 'guarded', 'piped', 'read', 'intercepted', 'filtered'] as const;
    return Object.fromEntries(
      methods.map((method) => {
        const found = { instance, class: Handlers, method, callback: instance[method] as () => unknown };
        const call = { paramsKey: PARAM_ARGS_METADATA, params: new WsParamsFactory() };
        return [
          method,
          contexts.createDirect(
            { ...found, metadata: undefined, controller: false },
            { type: 'ws', commands: true, ...call },
          ).isWrapped,
        ];
      }),
    );
  }

  it('is one that nothing runs around', async () => {
    const own = { guarded: true, piped: true, read: true, intercepted: true, filtered: true };
    expect(await isWrapped()).toEqual({ bare: false, ...own });
    expect(await isWrapped([{ provide: APP_GUARD, useClass: Guard }])).toEqual({ bare: true, ...own });
    expect(await isWrapped([{ provide: APP_PIPE, useClass: Pipe }])).toEqual({ bare: true, ...own });
    const options = bindValue(HandlerOptions, { globalEnhancers: true, wrapsAll: true });
    expect(await isWrapped([options])).toEqual({ bare: true, ...own });
  });
});

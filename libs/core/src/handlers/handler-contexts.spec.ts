import { describe, expect, it } from '@jest/globals';
import { Catch, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { MessageBody } from '@nestjs/websockets';
import { PARAM_ARGS_METADATA } from '@nestjs/websockets/constants.js';
import { Test } from '@nestjs/testing';
import { RpcParamsFactory, WsParamsFactory } from '../validation/params-factories.js';
import { HandlerContexts } from './handler-contexts.js';

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

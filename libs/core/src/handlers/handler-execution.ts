import type { ArgumentsHost, ContextType, ExecutionContext, Type } from '@nestjs/common';

type GuardedMethod = ReturnType<ExecutionContext['getHandler']>;

/**
 * The context in which guards and filters see a handler's arguments: `[client, data, …, event]` in `ws`,
 * `[data, context]` in `rpc`. Nest keeps its own class in a file that not all its versions let others import.
 */
export class HandlerExecution implements ExecutionContext {
  constructor(
    private readonly type: ContextType,
    private readonly args: unknown[],
    private readonly owner?: Type<unknown>,
    private readonly handler?: GuardedMethod,
  ) {}

  getType<T extends string = ContextType>(): T {
    return this.type as T;
  }

  getClass<T>(): Type<T> {
    return this.owner as Type<T>;
  }

  getHandler(): GuardedMethod {
    return this.handler as GuardedMethod;
  }

  getArgs<T extends unknown[]>(): T {
    return this.args as T;
  }

  getArgByIndex<T>(index: number): T {
    return this.args[index] as T;
  }

  switchToWs(): ReturnType<ArgumentsHost['switchToWs']> {
    return {
      getClient: () => this.getArgByIndex(0),
      getData: () => this.getArgByIndex(1),
      getPattern: () => this.getArgByIndex(this.args.length - 1),
    };
  }

  switchToRpc(): ReturnType<ArgumentsHost['switchToRpc']> {
    return { getData: () => this.getArgByIndex(0), getContext: () => this.getArgByIndex(1) };
  }

  switchToHttp(): ReturnType<ArgumentsHost['switchToHttp']> {
    return {
      getRequest: () => this.getArgByIndex(0),
      getResponse: () => this.getArgByIndex(1),
      getNext: () => this.getArgByIndex(2),
    };
  }
}

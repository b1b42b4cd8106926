import type { CanActivate, Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { HandlerExecution } from './handler-execution.js';

/**
 * The instance of a class that some module provides, else one that is made with its dependencies injected.
 * @throws Error when it can't be made
 */
export function providedOrMade<T>(modules: ModuleRef, type: Type<T>): Promise<T> | T {
  try {
    return modules.get(type, { strict: false });
  } catch {
    return modules.create(type);
  }
}

/** A guard that is asked by us, not around a handler; in `ws` context its own method stands for the handler. */
export class AskedGuard {
  private readonly handler: CanActivate['canActivate'];

  constructor(
    private readonly guard: CanActivate,
    /** Its class in the context, and in the log. */
    readonly type = guard.constructor as Type<CanActivate>,
  ) {
    this.handler = guard.canActivate.bind(guard);
  }

  /**
   * Returns the guard's answer.
   * @param args `[client, data, …, pattern]`
   */
  async allows(args: unknown[]): Promise<boolean> {
    const answer = await this.guard.canActivate(new HandlerExecution('ws', args, this.type, this.handler));
    return isObservable(answer) ? lastValueFrom(answer) : answer;
  }
}

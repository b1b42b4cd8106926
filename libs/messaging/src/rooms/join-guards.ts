import { type CanActivate, Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HandlerExecution } from '@wss/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { RoutedCommand } from '../commands/routed-command.js';

/** Asks the guards of room types. */
@Injectable()
export class JoinGuards {
  private readonly guards = new Map<Type<CanActivate>, Promise<CanActivate>>();

  constructor(private readonly modules: ModuleRef) {}

  /** True if the guard lets the command's client join; runs in `ws` context, like a guard of a handler. */
  async allows(type: Type<CanActivate>, command: RoutedCommand): Promise<boolean> {
    const guard = await this.guard(type);
    const args = [command.client, command.data ?? {}, command, command.event];
    const handler = guard.canActivate.bind(guard);
    const answer = await guard.canActivate(new HandlerExecution('ws', args, type, handler));
    return isObservable(answer) ? lastValueFrom(answer) : answer;
  }

  /** A guard that some module provides, else one made with its dependencies injected. */
  private guard(type: Type<CanActivate>): Promise<CanActivate> {
    let guard = this.guards.get(type);
    if (!guard) this.guards.set(type, (guard = this.find(type)));
    return guard;
  }

  private async find(type: Type<CanActivate>): Promise<CanActivate> {
    try {
      return this.modules.get(type, { strict: false });
    } catch {
      return this.modules.create(type);
    }
  }
}

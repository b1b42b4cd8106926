import { type CanActivate, Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AskedGuard, providedOrMade } from '@wss/core';
import type { RoutedCommand } from '../commands/routed-command.js';

/** Asks the guards of room types. */
@Injectable()
export class JoinGuards {
  private readonly guards = new Map<Type<CanActivate>, Promise<AskedGuard>>();

  constructor(private readonly modules: ModuleRef) {}

  /** True if the guard lets the command's client join; runs in `ws` context, like a guard of a handler. */
  async allows(type: Type<CanActivate>, command: RoutedCommand): Promise<boolean> {
    const guard = await this.guard(type);
    return guard.allows([command.client, command.data ?? {}, command, command.event]);
  }

  private guard(type: Type<CanActivate>): Promise<AskedGuard> {
    let guard = this.guards.get(type);
    if (!guard) this.guards.set(type, (guard = this.find(type)));
    return guard;
  }

  private async find(type: Type<CanActivate>): Promise<AskedGuard> {
    return new AskedGuard(await providedOrMade(this.modules, type), type);
  }
}

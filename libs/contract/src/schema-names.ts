import type { Type } from '@nestjs/common';
import { isPrimitive } from '@wss/core';
import { legal } from './component-names.js';

/** Names schemas: by the class's name, and if several classes share one, also by the first event that uses it. */
export class SchemaNames {
  private readonly owners = new Map<Type<object>, string>();

  /** Notes that an event uses a class; call it in a stable order. Anything but a class is ignored. */
  mention(type: unknown, owner: string): void {
    if (typeof type !== 'function' || isPrimitive(type) || this.owners.has(type as Type<object>)) return;
    this.owners.set(type as Type<object>, owner);
  }

  /** Names of classes that share theirs; all others are named by themselves. */
  resolved(): ReadonlyMap<Type<object>, string> {
    const shared = new Map<string, Type<object>[]>();
    for (const type of this.owners.keys()) shared.set(type.name, [...(shared.get(type.name) ?? []), type]);
    const names = new Map<Type<object>, string>();
    for (const types of shared.values()) {
      if (types.length === 1) continue;
      for (const type of types) names.set(type, `${type.name}-${legal(this.owners.get(type)!)}`);
    }
    return names;
  }
}

import type { Type } from '@nestjs/common';

const SYSTEM = Symbol('wss:system-handler');

/**
 * Marks a class whose handlers are the system's own: their events start with `$`, and they check membership
 * themselves.
 */
export function SystemHandler(): ClassDecorator {
  return (type) => Reflect.defineMetadata(SYSTEM, true, type);
}

/** True if the class is marked as the system's own. */
export function isSystemHandler(type: Type<object>): boolean {
  return Reflect.hasMetadata(SYSTEM, type);
}

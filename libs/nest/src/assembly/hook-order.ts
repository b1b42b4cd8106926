import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/**
 * Places a module in the order of hooks. Nest calls the hooks of a start by the distance of modules from the root,
 * the farthest first, and those of a stop the other way round.
 */
export function placeInOrder(
  modules: ModulesContainer,
  type: Type<object>,
  place: 'outermost' | 'innermost',
): void {
  for (const module of modules.values()) {
    if (module.metatype === type) module.distance = place === 'innermost' ? Infinity : -1;
  }
}

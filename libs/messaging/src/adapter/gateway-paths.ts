import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import type { GatewayDeclaration } from './gateway-hooks.js';

/** Knows the paths that the command router serves, and checks that the gateways agree on their options. */
export class GatewayPaths {
  private readonly commands = new Set<string>();
  private readonly requestScoped = new Map<string, Type<object>[]>();

  /** @throws Error when gateways on one port and path ask for different options, or spell one path in two ways. */
  constructor(gateways: readonly GatewayDeclaration[]) {
    const first = new Map<string, GatewayDeclaration>();
    for (const gateway of gateways) {
      const key = keyOf(gateway.port, gateway.path);
      if (gateway.options.commands === true) this.commands.add(key);
      if (gateway.requestScoped) {
        this.requestScoped.set(key, [...(this.requestScoped.get(key) ?? []), gateway.class]);
      }
      const other = first.get(key);
      if (!other) first.set(key, gateway);
      else requireAgreement(other, gateway);
    }
  }

  /** True if the router serves the path. */
  servesCommands(port: number, path: string | undefined): boolean {
    return this.commands.has(keyOf(port, path));
  }

  /** Gateways of the path that have an instance per connection. */
  requestScopedAt(port: number, path: string | undefined): readonly Type<object>[] {
    return this.requestScoped.get(keyOf(port, path)) ?? [];
  }
}

function requireAgreement(a: GatewayDeclaration, b: GatewayDeclaration): void {
  const names = `${a.class.name} and ${b.class.name}`;
  if (a.path !== b.path)
    throw new Error(
      `${names} spell one path in two ways; write it the same way, or one of them is never reached`,
    );
  const keys = [...new Set([...Object.keys(a.options), ...Object.keys(b.options)])];
  const conflicts = keys.filter(
    (key) => key !== 'commands' && !isDeepStrictEqual(a.options[key], b.options[key]),
  );
  if (conflicts.length === 0) return;
  throw new Error(
    `${names} share a path but differ in ${conflicts.join(', ')}; one server has one set of options, so give both the same or another path`,
  );
}

/** On the application's port, no path means the root; on a port of its own it means every path. */
function keyOf(port: number, path: string | undefined): string {
  return `${port} ${port === 0 ? normalizePath(path) : (ownPortPath(path) ?? '*')}`;
}

/** The path of a gateway on a port of its own; `undefined`: every path. */
export function ownPortPath(path: string | undefined): string | undefined {
  return path === undefined || path === '' ? undefined : normalizePath(path);
}

/** Normalizes a path: one leading slash, none at the end. */
export function normalizePath(path: string | undefined): string {
  return `/${path ?? ''}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}

import { isDeepStrictEqual } from 'node:util';
import type { GatewayDeclaration } from './gateway-hooks.js';

/** Which paths the command router serves, and whether the gateways agree on how. */
export class GatewayPaths {
  private readonly commands = new Set<string>();

  /** @throws Error when gateways on one port and path ask for different options, or spell one path in two ways. */
  constructor(gateways: readonly GatewayDeclaration[]) {
    const first = new Map<string, GatewayDeclaration>();
    for (const gateway of gateways) {
      const key = keyOf(gateway.port, gateway.path);
      if (gateway.options.commands === true) this.commands.add(key);
      const other = first.get(key);
      if (!other) first.set(key, gateway);
      else requireAgreement(other, gateway);
    }
  }

  servesCommands(port: number, path: string | undefined): boolean {
    return this.commands.has(keyOf(port, path));
  }
}

function requireAgreement(a: GatewayDeclaration, b: GatewayDeclaration): void {
  const names = `${a.class.name} and ${b.class.name}`;
  if (a.path !== b.path)
    throw new Error(`${names} spell one path in two ways; write it alike, or one is never reached`);
  if (!isDeepStrictEqual(serverOptions(a), serverOptions(b))) {
    throw new Error(`${names} share a path but ask for different options; one server can only have one set`);
  }
}

function serverOptions({ options }: GatewayDeclaration): object {
  const { commands: _commands, ...rest } = options;
  return rest;
}

/** On the application's own port no path means the root; on a port of its own it means every path. */
function keyOf(port: number, path: string | undefined): string {
  const normal = path === undefined ? undefined : normalizePath(path);
  return `${port} ${normal ?? (port === 0 ? '/' : '*')}`;
}

/** One leading slash, none at the end. */
export function normalizePath(path: string | undefined): string {
  return `/${path ?? ''}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}

import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import type { GatewayDeclaration } from './gateway-hooks.js';

/** The options that `ws` reads; any other, such as `cors`, is for other adapters. */
const WS_OPTIONS = [
  ...[
    'host',
    'backlog',
    'verifyClient',
    'handleProtocols',
    'clientTracking',
    'perMessageDeflate',
    'maxPayload',
  ],
  ...['skipUTF8Validation', 'allowSynchronousEvents', 'autoPong', 'closeTimeout', 'maxBufferedChunks'],
  ...['maxFragments', 'WebSocket'],
];

/** Knows the gateways by port and path: which paths the command router serves, and where gateways do not agree. */
export class GatewayPaths {
  private readonly places = new Map<string, GatewayDeclaration[]>();

  private readonly namespaced: readonly GatewayDeclaration[];

  constructor(gateways: readonly GatewayDeclaration[]) {
    this.namespaced = gateways.filter(({ options }) => options.namespace);
    for (const gateway of gateways) {
      // It is socket.io's; else the boot fails.
      if (gateway.options.namespace) continue;
      const key = keyOf(gateway.port, gateway.path);
      this.places.set(key, [...(this.places.get(key) ?? []), gateway]);
    }
  }

  /** True if the router serves the path. */
  servesCommands(port: number, path: string | undefined): boolean {
    return this.routerOptionsAt(port, path) !== undefined;
  }

  /** Gateways of the path that have an instance per connection. */
  requestScopedAt(port: number, path: string | undefined): readonly Type<object>[] {
    return this.at(port, path)
      .filter(({ requestScoped }) => requestScoped)
      .map((gateway) => gateway.class);
  }

  /** Options of the gateway with which the router serves the path; absent where it does not. */
  routerOptionsAt(port: number, path: string | undefined): Readonly<Record<string, unknown>> | undefined {
    return this.at(port, path).find(({ options }) => options.commands === true)?.options;
  }

  /** Options of the first gateway of the path. */
  optionsAt(port: number, path: string | undefined): Readonly<Record<string, unknown>> | undefined {
    return this.at(port, path)[0]?.options;
  }

  /** Says why the boot fails without a fallback: `ws` has no namespaces. */
  namespaceRefusal(): string {
    const names = this.namespaced.map(
      ({ class: { name }, options }) => `${name} ("${String(options.namespace)}")`,
    );
    return `${names.join(', ') || 'a gateway'} asks for a namespace, which only socket.io has; serve it by socket.io with new ClusterWsAdapter(app, { fallback: new IoAdapter(app) }), the adapter of @nestjs/platform-socket.io, or give it a path in place of the namespace`;
  }

  /** Lines for the developer about gateways that do not fit together. */
  warnings(): string[] {
    return [...this.places.values()].flatMap((all) => {
      const twice = all.filter((each, index) => all.findIndex((other) => other.class === each.class) < index);
      return [
        ...twice.map(
          (each) =>
            `${each.class.name} is provided twice, so each of its hooks and handlers runs twice; provide it in one module and export it`,
        ),
        ...all.flatMap((each) => disagreement(all[0]!, each) ?? []),
      ];
    });
  }

  private at(port: number, path: string | undefined): readonly GatewayDeclaration[] {
    return this.places.get(keyOf(port, path)) ?? [];
  }
}

function disagreement(a: GatewayDeclaration, b: GatewayDeclaration): string | undefined {
  const conflicts = WS_OPTIONS.filter((key) => !isDeepStrictEqual(a.options[key], b.options[key]));
  if (conflicts.length === 0) return undefined;
  return `${a.class.name} and ${b.class.name} share a path but differ in ${conflicts.join(', ')}; one server has one set of options, so give both the same or another path`;
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

import type { GatewayDeclaration } from './gateway-hooks.js';
import { normalizePath } from './gateway-paths.js';

/** The options that socket.io reads and `ws` does not; `path` and `perMessageDeflate` are for both. */
const SOCKET_IO_OPTIONS = [
  ...['serveClient', 'adapter', 'parser', 'connectTimeout', 'connectionStateRecovery'],
  ...['cleanupEmptyChildNamespaces', 'pingTimeout', 'pingInterval', 'upgradeTimeout', 'maxHttpBufferSize'],
  ...[
    'allowRequest',
    'transports',
    'allowUpgrades',
    'httpCompression',
    'wsEngine',
    'initialPacket',
    'cookie',
  ],
  ...['cors', 'allowEIO3', 'destroyUpgrade', 'destroyUpgradeTimeout', 'addTrailingSlash'],
];

/** The path of socket.io's requests unless a gateway says another. */
const SOCKET_IO_PATH = '/socket.io';

/** The options of a gateway that only socket.io has, as the log names them. */
export function asksForSocketIo({ options }: GatewayDeclaration): readonly string[] {
  if (options.namespace) return ['namespace'];
  return SOCKET_IO_OPTIONS.filter((name) => options[name] !== undefined);
}

/** Nest's key of a server: gateways that share it get one server. */
export function placeKey(port: number, path: unknown): string {
  return JSON.stringify([port, path ?? null]);
}

/**
 * Knows which gateways are the fallback's: those that ask for what only socket.io has, and those that share the server
 * of one, by port and path. A gateway with `commands: true` never is.
 */
export class FallbackPlaces {
  private readonly fallbacks = new Set<GatewayDeclaration>();
  private readonly places = new Map<string, GatewayDeclaration[]>();

  /** @throws Error that names gateways which can't be served beside each other */
  constructor(private readonly gateways: readonly GatewayDeclaration[]) {
    for (const gateway of gateways) {
      const key = placeKey(gateway.port, gateway.path);
      this.places.set(key, [...(this.places.get(key) ?? []), gateway]);
    }
    for (const place of this.places.values()) this.assign(place);
    this.requireApart();
  }

  serves(gateway: GatewayDeclaration): boolean {
    return this.fallbacks.has(gateway);
  }

  /** True if the server that gateways without a namespace share there is the fallback's. */
  isOwned(port: number, path: unknown): boolean {
    const place = this.places.get(placeKey(port, path)) ?? [];
    const plain = place.filter(({ options }) => !options.namespace);
    return (plain.length > 0 ? plain : place).some((each) => this.fallbacks.has(each));
  }

  /** Lines that tell the developer which adapter has which gateway. */
  assignment(): string[] {
    if (this.fallbacks.size === 0) {
      return ['no gateway asks for what only socket.io has, so the fallback adapter serves none'];
    }
    const nameOf = (gateway: GatewayDeclaration): string => {
      const asked = asksForSocketIo(gateway);
      return `${gateway.class.name} (${asked.length > 0 ? asked.join(', ') : 'the same port and path'})`;
    };
    const others = this.gateways.filter((each) => !this.fallbacks.has(each));
    return [
      `the fallback adapter serves ${[...this.fallbacks].map(nameOf).join(', ')}`,
      ...(others.length > 0 ? [`ws serves ${others.map((each) => each.class.name).join(', ')}`] : []),
    ];
  }

  private assign(place: readonly GatewayDeclaration[]): void {
    const plain = place.filter(({ options }) => !options.namespace);
    for (const each of place) if (!plain.includes(each)) this.add(each);
    const asking = plain.find((each) => !isRouters(each) && asksForSocketIo(each).length > 0);
    if (!asking) return;
    const router = plain.find(isRouters);
    if (router) {
      throw new Error(
        `${asking.class.name} asks for socket.io (${asksForSocketIo(asking).join(', ')}) at the port and path of ${router.class.name}; give it another path`,
      );
    }
    for (const each of plain) this.add(each);
  }

  private add(gateway: GatewayDeclaration): void {
    if (isRouters(gateway)) {
      throw new Error(`${gateway.class.name} has \`commands: true\` and a namespace; remove one of them`);
    }
    this.fallbacks.add(gateway);
  }

  private requireApart(): void {
    for (const fallback of this.fallbacks) {
      const other = this.gateways.find((each) => !this.fallbacks.has(each) && isCovered(each, fallback));
      if (!other) continue;
      const what = fallback.port === 0 ? 'path' : 'port';
      throw new Error(
        `${fallback.class.name} asks for socket.io on a ${what} where requests for ${other.class.name}, a gateway of ws, would go to it; give one of them another ${what}`,
      );
    }
  }
}

const isRouters = ({ options }: GatewayDeclaration): boolean => options.commands === true;

/** True if requests for a gateway of `ws` would go to socket.io. On a port of its own each opens an HTTP server. */
function isCovered(other: GatewayDeclaration, { port, path, options }: GatewayDeclaration): boolean {
  if (port !== other.port) return false;
  if (port !== 0) return true;
  const own = (path || SOCKET_IO_PATH).replace(/\/$/, '');
  const prefix = options.addTrailingSlash === false ? own : `${own}/`;
  return normalizePath(other.path).startsWith(prefix);
}

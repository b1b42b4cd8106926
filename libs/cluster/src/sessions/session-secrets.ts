import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { SessionStore } from './session-store.js';
import { type SigningKey, signingKey } from './session-tokens.js';

/** How often the secrets are compared with the engine's and the other nodes', ms. */
const EVERY_MS = 2_000;
/** Shortest pause before the engine is asked again because of an unknown key in a token, ms. */
const UNKNOWN_MS = 1_000;
/** Largest number of agreed secrets that are remembered. */
const MOST_HELD = 8;
const DIGEST_BYTES = 12;

const hash = promisify(scrypt) as (secret: string, salt: string, length: number) => Promise<Buffer>;

/** Settings of a node's secrets. */
export interface SessionSecretsOptions {
  /** The first signs, all verify; none: the nodes agree on one through the engine. */
  readonly configured: readonly string[];
  /** How long a session outlives its last connection, ms; an agreed secret is accepted for the same time. */
  readonly ttlMs: number;
}

/** A live node and this one don't accept each other's tokens. */
interface Mismatch {
  readonly text: string;
  /** Number of looks in a row that found a disagreement. */
  readonly looks: number;
  /** True if a node that has run for longer is among those that disagree. */
  readonly younger: boolean;
}

/**
 * The ring of secrets for resume tokens (R33): a configured secret takes precedence over the one that the nodes agree
 * on, which stays accepted while the engine knows it. Secrets that the engine lost are written back. Leases carry
 * digests of the secrets, so that nodes notice if others would refuse their tokens.
 */
export class SessionSecrets {
  private readonly logger = new Logger('SessionSecrets');
  /** Agreed secrets that were seen, the present one first. */
  private held: readonly string[] = [];
  private ring: readonly SigningKey[] = [];
  private readonly digests = new Map<string, Promise<string>>();
  private refreshedAt = -Infinity;
  private refreshing?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private mismatch: Mismatch | undefined;

  private constructor(
    private readonly store: SessionStore,
    private readonly options: SessionSecretsOptions,
  ) {}

  /** @throws RedisError when the engine can't be asked. */
  static async start(store: SessionStore, options: SessionSecretsOptions): Promise<SessionSecrets> {
    const secrets = new SessionSecrets(store, options);
    await secrets.refresh();
    return secrets;
  }

  /** The first signs, all verify. */
  get keys(): readonly SigningKey[] {
    return this.ring;
  }

  /** Compares with the engine and the other nodes from now on. */
  watch(registry: NodeRegistry, salt: string): void {
    const look = (): void =>
      void this.compare(registry, salt).catch((error: Error) =>
        this.logger.debug(`secrets can't be compared now: ${error.message}`),
      );
    // An engine that lost the lease may have lost the secret too.
    registry.onRenewed(look);
    this.timer = setInterval(look, EVERY_MS).unref();
    look();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /**
   * Says what is wrong; `undefined` while this node and all that have run for longer accept each other's tokens. Of two
   * nodes that disagree the younger one is unready: a deploy with a wrong secret must not stop the nodes that serve.
   */
  problem(): string | undefined {
    return this.mismatch?.younger && this.told ? this.mismatch.text : undefined;
  }

  /** Nodes that have just begun to agree need a moment. */
  private get told(): boolean {
    return (this.mismatch?.looks ?? 0) >= 2;
  }

  /** Asks again because a token names a key that is unknown here: other nodes may have agreed on it since. */
  async refreshForUnknown(): Promise<void> {
    if (performance.now() - this.refreshedAt >= UNKNOWN_MS) await this.refresh();
  }

  /** Asks the engine for the agreed secrets, and writes back those that it does not know. */
  private refresh(): Promise<void> {
    this.refreshing ??= this.agree().finally(() => delete this.refreshing);
    return this.refreshing;
  }

  private async agree(): Promise<void> {
    const { configured, ttlMs } = this.options;
    const known = await this.store.agree({ signs: configured.length === 0, held: this.held, ttlMs });
    this.refreshedAt = performance.now();
    if (this.held.length > 0 && known.length > 0 && known[0] !== this.held[0])
      this.logger.warn('the nodes have agreed on a new session secret; the old one stays accepted');
    this.held = [...new Set([...known, ...this.held])].slice(0, MOST_HELD);
    this.ring = [...new Set([...configured, ...this.held])].map(signingKey);
  }

  private async compare(registry: NodeRegistry, salt: string): Promise<void> {
    await this.refresh();
    const own = await Promise.all(this.ring.map(({ secret }) => this.digestOf(secret, salt)));
    registry.tellSecrets(own);
    const nodes = await registry.alive();
    const { nodeId } = registry.self;
    const strangers = nodes.filter(
      (node) => node.nodeId !== nodeId && node.secrets && !agree(own, node.secrets),
    );
    if (strangers.length === 0) return this.agreed();
    const oldest = strangers[0]!;
    this.disagreed({
      text: `session.secret (of the gateway SESSION_SECRET) differs from that of node ${oldest.nodeId}, so sessions would end when clients move between the two: give all nodes the same secrets, and add a new one as the last line first`,
      looks: (this.mismatch?.looks ?? 0) + 1,
      younger: nodes.indexOf(oldest) < nodes.findIndex((node) => node.nodeId === nodeId),
    });
  }

  private disagreed(mismatch: Mismatch): void {
    const wasTold = this.told;
    this.mismatch = mismatch;
    if (this.told && !wasTold) this.logger.error(mismatch.text);
  }

  private agreed(): void {
    if (this.told) this.logger.log("all nodes accept each other's sessions again");
    this.mismatch = undefined;
  }

  private digestOf(secret: string, salt: string): Promise<string> {
    const known = this.digests.get(secret);
    const digest =
      known ?? hash(secret, `wss:${salt}`, DIGEST_BYTES).then((bytes) => bytes.toString('base64url'));
    this.digests.set(secret, digest);
    return digest;
  }
}

/** True if each of two nodes accepts the other's tokens; takes digests, the signing one first. */
function agree(own: readonly string[], other: readonly string[]): boolean {
  return other.includes(own[0]!) && own.includes(other[0]!);
}

import { RedisServer, replicasInStep, TcpProxy } from '@wss/testing';

/**
 * A Redis master and its replica, whose link can be muted: what the master accepts then is the tail that a failover
 * loses. Nodes reach the master through proxies that follow it.
 */
export class RedisPair {
  private readonly followers = new Set<TcpProxy>();

  private constructor(
    private present: RedisServer,
    private spare: RedisServer,
    private readonly link: TcpProxy,
    private readonly args: readonly string[],
  ) {}

  /** @param args further arguments of both servers */
  static async start(args: readonly string[] = []): Promise<RedisPair> {
    const master = await RedisServer.start({ args });
    const link = await TcpProxy.start({ to: master.port });
    const replica = await startReplica(link.port, args);
    const pair = new RedisPair(master, replica, link, args);
    await pair.replicated();
    return pair;
  }

  get master(): RedisServer {
    return this.present;
  }

  /** A proxy that leads to the master, whichever that is. */
  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start({ to: this.present.port });
    this.followers.add(proxy);
    return proxy;
  }

  /** Resolves when the replica has everything that the master had when this was called. */
  async replicated(): Promise<void> {
    await replicasInStep([this.present, this.spare], { withinMs: 30_000 });
  }

  /** From now on the replica hears nothing: a failover loses what follows. */
  async loseTail(): Promise<void> {
    await this.replicated();
    await this.link.setMode('mute');
  }

  /** The replica hears everything again, and catches up. */
  async heal(): Promise<void> {
    await this.link.setMode('pass');
    await this.replicated();
  }

  /**
   * Kills the master, promotes the replica and leads the nodes to it. A new replica follows when {@link restock} is
   * called.
   * @param promoted is called before any node can reach the new master
   */
  async failOver(promoted: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.present.kill();
    await this.spare.cli('REPLICAOF', 'NO', 'ONE');
    await promoted();
    const dead = this.present;
    this.present = this.spare;
    for (const proxy of this.followers) {
      proxy.target = this.present.port;
      proxy.cutNow();
    }
    await dead.stop();
  }

  /** Gives the master a new replica, and waits until it has everything. */
  async restock(): Promise<void> {
    this.link.target = this.present.port;
    await this.link.setMode('pass');
    this.link.cutNow();
    this.spare = await startReplica(this.link.port, this.args);
    await this.replicated();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.followers].map((proxy) => proxy.stop()));
    await this.link.stop();
    await Promise.all([this.present.stop(), this.spare.stop()]);
  }
}

function startReplica(port: number, args: readonly string[]): Promise<RedisServer> {
  return RedisServer.start({ args: [...args, '--replicaof', '127.0.0.1', String(port)] });
}

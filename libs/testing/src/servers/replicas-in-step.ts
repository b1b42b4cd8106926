import { eventually } from '../waiting/eventually.js';
import type { RedisServer } from './redis-server.js';

interface Replication {
  readonly isMaster: boolean;
  /** The history that the server is on. */
  readonly id: string;
  readonly offset: number;
  /** True if a replica is linked to its master. */
  readonly isLinked: boolean;
}

/**
 * Resolves when there are that many masters among the servers, and each of the others has all that its master had when
 * this was called. A master that calls a replica `online` may not stream to it yet: what is written then is lost with
 * the master.
 */
export async function replicasInStep(
  servers: readonly RedisServer[],
  { masters = 1, withinMs }: { readonly masters?: number; readonly withinMs?: number } = {},
): Promise<void> {
  const goals = new Map<string, number>();
  await eventually(
    async () => {
      const all = await Promise.all(servers.map(replicationOf));
      const leading = all.filter(({ isMaster }) => isMaster);
      // After a promotion offsets belong to another history.
      for (const { id, offset } of leading) if (!goals.has(id)) goals.set(id, offset);
      const isInStep = ({ isMaster, isLinked, id, offset }: Replication): boolean =>
        isMaster || (isLinked && offset >= (goals.get(id) ?? Infinity));
      if (leading.length === masters && all.every(isInStep)) return;
      throw new Error(`a replica is not in step: ${JSON.stringify(all)}`);
    },
    { withinMs },
  );
}

async function replicationOf(server: RedisServer): Promise<Replication> {
  const info = String(await server.cli('INFO', 'replication'));
  const field = (name: string): string => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? '';
  return {
    isMaster: field('role') === 'master',
    id: field('master_replid'),
    offset: Number(field('master_repl_offset')),
    isLinked: field('master_link_status') === 'up',
  };
}

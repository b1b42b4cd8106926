import { parseArgs } from 'node:util';
import { Failure, main } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { LocalCluster } from './lib/local-cluster.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { onEndRequest } from './lib/ending.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { LocalRedis } from './lib/local-redis.mjs';
import { portBlock, portOf } from './lib/ports.mjs';

const MAX_NODES = 32;
const USAGE = `npm run cluster -- --nodes 3 (1 to ${MAX_NODES})`;

/**
 * Several nodes behind one address, on one Redis: a local one of their own, unless REDIS_SERVER names another. The
 * ports follow each other: the front's, those of the nodes, that of Redis.
 */
await main(async (args) => {
  const count = nodesOf(args);
  portOf('SERVER_PORT');
  await ensureInstalled();
  const isRedisGiven = Boolean(process.env.REDIS_SERVER || process.env.REDIS_SERVER_FILE);
  if (!isRedisGiven) await ensureProgram('redis-server');
  await ensureBuilt();
  const port = await portBlock(isRedisGiven ? count + 1 : count + 2);
  const redisPort = port + count + 1;
  const url = isRedisGiven ? undefined : LocalRedis.urlAt(redisPort);
  const cluster = new LocalCluster({ count, port, folder: claimBuild(), redis: url });
  // From here on something may run that a signal would leave behind.
  onEndRequest((signal) => cluster.stop(signal));
  const redis = isRedisGiven ? undefined : await LocalRedis.start(redisPort);
  try {
    void redis?.exited.then(() => cluster.lostRedis());
    return await cluster.run();
  } finally {
    await redis?.stop();
  }
});

function nodesOf(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: { nodes: { type: 'string', default: '3' } } }));
  } catch (error) {
    throw new Failure(error.message, USAGE);
  }
  const count = Number(values.nodes);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_NODES) return count;
  throw new Failure(`"${values.nodes}" is not a number of nodes.`, USAGE);
}

/** The specs that take longest in a fresh clone, the longest first; `npm test` knows the times of its own last run. */
export const LONGEST = [
  'test/apps/nest-11-fastify.spec.ts',
  'test/apps/nest-12-express.spec.ts',
  'test/packages.spec.ts',
  'test/client-package.spec.ts',
  'test/feature-generator.spec.ts',
  'test/feature-schematic.spec.ts',
  'test/lifecycle.spec.ts',
  'test/scripts/cluster.spec.ts',
  'test/recovery.spec.ts',
  'test/presence.spec.ts',
  'test/client-faults.spec.ts',
  'libs/cluster/test/sharded-cluster.spec.ts',
  'libs/cluster/test/channels/wanted-channels.spec.ts',
  'test/durable.spec.ts',
  'test/nest-add.spec.ts',
  'test/client.spec.ts',
  'test/client-connection.spec.ts',
  'test/admission.spec.ts',
  'test/chaos/failover.spec.ts',
  'test/degraded.spec.ts',
  'test/client-fuzz.spec.ts',
  'libs/cluster/test/presence/node-presence.spec.ts',
  'libs/testing/test/feature-data.spec.ts',
  'test/client-endings.spec.ts',
  'libs/nest/test/failures.spec.ts',
  'test/demo-features.spec.ts',
  'test/chaos/planted-bugs.spec.ts',
  'libs/testing/src/gateways/gateway-node.spec.ts',
  'libs/testing/src/gateways/gateway-cluster.spec.ts',
  'test/demo.page.spec.ts',
  'libs/cluster/test/redis-cluster.spec.ts',
];

/** Puts the longest specs first, so that none of them begins when the others have ended; keeps the order of the rest. */
export function longestFirst(tests, nameOf) {
  const rank = (test) => {
    const index = LONGEST.indexOf(nameOf(test));
    return index === -1 ? LONGEST.length : index;
  };
  return tests.toSorted((one, other) => rank(one) - rank(other));
}

/** Clients that share the memberships of many rooms. */
const SHARED = 1_000;
/** Files of a process beside its clients, and the most clients that one generator is to have. */
const OTHER_FILES = 500;

/**
 * What is measured: along each axis one number grows and the others stay. `fits`: the point belongs to the capacity
 * model, because its messages go to each member one by one; where few rooms are busy, those of a turn share a write.
 */
export function pointsOf(mostFiles) {
  const most = Math.min(20_000, mostFiles - OTHER_FILES);
  const spread = (axis, at, nodes, params, fits) => ({
    ...{ axis, at, nodes, fits },
    load: 'spread',
    params: { clients: SHARED, window: 64, ...params },
  });
  const still = (nodes, clients) => ({
    ...{ axis: 'at rest', at: clients || nodes, nodes, fits: true },
    load: 'still',
    params: { clients },
  });
  return [
    ...[1, 2, 4, 8].map((nodes) => spread('nodes', nodes, nodes, { rooms: 500, members: 8 }, true)),
    ...[10, 100, 1_000, 10_000].map((rooms) =>
      spread('rooms', rooms, 2, { rooms, members: 4 }, rooms >= 1_000),
    ),
    ...[10, 100, 1_000, most].map((members) =>
      spread('members', members, 2, { rooms: 1, members, clients: members, window: 1 }, true),
    ),
    ...[1, 4, 8].map((nodes) => still(nodes, 0)),
    still(1, Math.min(10_000, most)),
  ];
}

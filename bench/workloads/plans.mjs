/**
 * The workloads, and the rows that each gives. `window`: messages that are published and not yet with everyone.
 * A row's figure is divided by the reference's of the same run where `isRatio`; else it stands as it is.
 */
export const PLANS = {
  W1: {
    title: 'a request with validation, 64 clients',
    nodes: 1,
    rows: [
      { name: 'W1 depth 1', unit: 'µs', figure: 'cpuUs', params: { clients: 64, depth: 1 } },
      { name: 'W1 depth 16', unit: 'µs', figure: 'cpuUs', params: { clients: 64, depth: 16 } },
    ],
  },
  W2: {
    title: 'fan-out in one room of one node, messages of 128 bytes',
    nodes: 1,
    rows: [
      { name: 'W2 1,000 window 1', unit: 'µs', figure: 'cpuUs', params: { members: 1_000, window: 1 } },
      { name: 'W2 1,000 window 16', unit: 'µs', figure: 'cpuUs', params: { members: 1_000, window: 16 } },
      { name: 'W2 5,000 window 1', unit: 'µs', figure: 'cpuUs', params: { members: 5_000, window: 1 } },
      { name: 'W2 5,000 window 16', unit: 'µs', figure: 'cpuUs', params: { members: 5_000, window: 16 } },
    ],
  },
  W3: {
    title: 'fan-out over two nodes: to 20 members at 50 messages a second, then to 2,000 as fast as it goes',
    nodes: 2,
    rows: [
      {
        name: 'W3 saturation',
        unit: 'µs',
        figure: 'cpuUs',
        params: { members: 1_000, few: 10, window: 16 },
        also: [{ name: 'W3 remote hop p50', unit: 'ms', figure: 'hopMs' }],
      },
    ],
  },
  W4: {
    title: '500 rooms of 10 members over two nodes: half of them on both, a quarter on each alone',
    nodes: 2,
    rows: [{ name: 'W4 500 rooms × 10', unit: 'µs', figure: 'cpuUs', params: { rooms: 500, window: 64 } }],
  },
  W5: {
    title: 'idle clients of one node',
    nodes: 1,
    rows: [{ name: 'W5 per idle client', unit: 'KiB', figure: 'kibibytes', params: { clients: 10_000 } }],
  },
  W6: {
    title: 'an atomic counter, 64 clients on two nodes; of others a bare INCR',
    nodes: 2,
    rows: [{ name: 'W6 counter', unit: 'µs', figure: 'cpuUs', params: { clients: 64, depth: 4 } }],
  },
  check: {
    title: 'each server does what the workloads ask of it',
    nodes: 2,
    rows: [{ name: 'check', unit: '', figure: 'works', params: {} }],
  },
};

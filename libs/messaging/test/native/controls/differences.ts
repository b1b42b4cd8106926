/** A way in which this adapter differs from `WsAdapter`; docs/native-gateways.md says what it does, and why. */
export interface Difference {
  /** Its row in the document begins so: the behavior of `WsAdapter`. */
  readonly underNest: string;
  /** How random gateways and clients keep clear of it. */
  readonly random: string;
}

/** All of them: what random gateways and their clients see must be the same but for these. */
export const DIFFERENCES: readonly Difference[] = [
  {
    underNest: 'A connection or disconnect hook that throws or rejects ends the process.',
    random: 'hooks do not throw',
  },
  {
    underNest: 'A `verifyClient` that throws is answered 400 on a port with a path or a shared server.',
    random: 'no check throws',
  },
  {
    underNest:
      "An answer that JSON can't hold (a `bigint`, a circle, data that nests too deep) ends the process.",
    random: 'JSON holds all answers',
  },
  {
    underNest: 'Handlers run while `handleConnection` is still waiting, e.g. for the check of a token.',
    random:
      'the order between the lines of a hook and those of handlers is not compared; hooks end by themselves',
  },
  {
    underNest: 'Each gateway adds a listener for messages to each client and parses each frame again.',
    random: 'the order between answers of different gateways is not compared',
  },
  {
    underNest: 'Paths `/chat` and `chat`, or `/` and none, are two servers, and the second is never reached.',
    random: 'a path is written in one way',
  },
  {
    underNest: 'An upgrade request for an unknown path is destroyed.',
    random: 'clients ask for paths that are served',
  },
  { underNest: '`host` counts on a port of its own without `path` only.', random: 'no gateway has a host' },
  { underNest: 'A port that is taken is logged.', random: 'ports are free' },
  {
    underNest: 'A plain HTTP request on a port of its own hangs (with `path`) or gets 426.',
    random: 'there are none',
  },
  {
    underNest:
      'Clients are cut when the application ends, but for those of a gateway with `clientTracking: false`, which keep it from ending.',
    random: 'what clients see is compared until the application ends',
  },
  {
    underNest: 'The subprotocol is the first that the client offers.',
    random: 'no subprotocol carries a token',
  },
  {
    underNest: 'Any number of connections and handshakes, and of sockets that send no request.',
    random: 'there are few',
  },
  { underNest: 'Protocol errors of clients are logged as errors.', random: 'the log is not compared' },
];

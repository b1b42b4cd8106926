/** Keys of one room; all in one hash slot, so that one script may touch them. */
export interface RoomKeys {
  /** Hash: sequence number, epoch, lineage. */
  readonly meta: string;
  /** Hash: document name → position and JSON. */
  readonly documents: string;
  /** Stream: the log. */
  readonly log: string;
  /** Hash: native counters. */
  readonly counters: string;
  /** Channel on which commits and volatile events are published. */
  readonly channel: string;
  /** Channel on which a node that waits to write the room is called. */
  call(nodeId: string): string;
  /** Hash: record of the numbered commands of one lane. */
  lane(lane: string): string;
  /** Time until which a rate limit is charged, µs since 1970; ends some seconds later. */
  charge(limit: string): string;
  /** Sorted set: lanes of keys that take effect once → when their records end, ms since 1970. Ends with the last. */
  readonly once: string;
}

/** Keys of one room's presence; all in its hash slot. All but {@link dead} vanish when nobody is in the room. */
export interface PresenceKeys {
  /** Hash: version, and the time of the last announcement. */
  readonly state: string;
  /** Sorted set in the order of names: users who are here. */
  readonly users: string;
  /** Hash: user → number of clients. */
  readonly clients: string;
  /** Hash: user → its meta, JSON. */
  readonly metas: string;
  /** Sorted set: users whose arrival is to be announced → when they came. */
  readonly coming: string;
  /** Sorted set: users whose departure is to be announced → when, unless they come back. */
  readonly going: string;
  /** Hash: owner of entries → number of entries. */
  readonly owners: string;
  /** Sorted set: owners that may not write any more → until when this is remembered; at most an hour. */
  readonly dead: string;
  /** Meta that each client gave, beside {@link metas}, which others see. */
  readonly told: string;
  /** Hash: client → user, of one owner. */
  entries(owner: string): string;
}

/** Keys of one session. */
export interface SessionKeys {
  /** Hash: user, generation, end. */
  readonly record: string;
  /** Set: rooms in which it has numbered commands. */
  readonly lanes: string;
  /** Set: rooms that it is a member of. */
  readonly rooms: string;
}

/** Keys of the sessions of one user. */
export interface UserSessionKeys {
  /** Hash: session → its generation, and the node that has its connection. */
  readonly sessions: string;
  /** Sorted set: session without a connection → since when, ms since 1970. */
  readonly waiting: string;
}

/** Builds every key and channel. The namespace comes first, so that two environments on one Redis never meet. */
export class RedisKeys {
  /** @throws Error on a namespace that is not 1 to 32 characters of `A-Z a-z 0-9 _ -`. */
  constructor(readonly namespace: string) {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(namespace)) {
      throw new Error('a namespace is 1 to 32 characters of A-Z a-z 0-9 _ -');
    }
  }

  room(room: string): RoomKeys {
    const prefix = `${this.namespace}:{${room}}`;
    return {
      meta: `${prefix}:m`,
      documents: `${prefix}:d`,
      log: `${prefix}:x`,
      counters: `${prefix}:v`,
      channel: prefix,
      call: (nodeId) => `${prefix}:t:${nodeId}`,
      lane: (lane) => `${prefix}:k:${lane}`,
      charge: (limit) => `${prefix}:q:${limit}`,
      once: `${prefix}:o`,
    };
  }

  /** Keys of a room's presence. */
  presence(room: string): PresenceKeys {
    const prefix = `${this.namespace}:{${room}}:p`;
    return {
      state: prefix,
      users: `${prefix}u`,
      clients: `${prefix}n`,
      metas: `${prefix}m`,
      coming: `${prefix}c`,
      going: `${prefix}g`,
      owners: `${prefix}o`,
      dead: `${prefix}d`,
      told: `${prefix}t`,
      entries: (owner) => `${prefix}e:${owner}`,
    };
  }

  /** Hash: node → how many of the places of this name it has taken. */
  places(name: string): string {
    return `${this.namespace}:q:{${name}}`;
  }

  /** Commands of a user that were given away of a limit over all rooms. */
  userLimit(user: string, limit: string): string {
    return `${this.namespace}:a:{${user}}:${escaped(limit)}`;
  }

  /** Set of all owners of presence entries; in the hash slot of {@link nodes}. */
  get presenceOwners(): string {
    return `${this.namespace}:{${this.nodes}}:owners`;
  }

  /** Set of the rooms in which an owner may have presence entries. */
  presenceRooms(owner: string): string {
    return `${this.namespace}:w:${owner}`;
  }

  /** Claim of the node that cleans up after a dead owner. */
  presenceClaim(owner: string): string {
    return `${this.namespace}:w:${owner}:claim`;
  }

  /** Keys of one session, in one hash slot. */
  session(id: string): SessionKeys {
    const prefix = `${this.namespace}:s:{${id}}`;
    return { record: prefix, lanes: `${prefix}:l`, rooms: `${prefix}:r` };
  }

  /** Keys of what is known of the sessions of one user, in one hash slot. */
  userSessions(user: string): UserSessionKeys {
    const prefix = `${this.namespace}:b:{${escaped(user)}}`;
    return { sessions: prefix, waiting: `${prefix}:w` };
  }

  /** Sorted set: session and its user → when it ends, or when its end may be claimed again for announcing. */
  get sessionEnds(): string {
    return `${this.namespace}:s:ends`;
  }

  /** Secret with which the nodes sign resume tokens, where none is configured. */
  get secret(): string {
    return `${this.namespace}:secret`;
  }

  /** Set of secrets that were agreed on before {@link secret} and are still accepted. */
  get secrets(): string {
    return `${this.namespace}:secrets`;
  }

  /** Hash: when a user was revoked, and which connections are too old. */
  standing(user: string): string {
    return `${this.namespace}:v:${user}`;
  }

  /** Channel of everything that concerns one user's clients. */
  user(user: string): string {
    return `${this.namespace}:u:${user}`;
  }

  /** Channel of what concerns single clients of one node. */
  clientsOf(nodeId: string): string {
    return `${this.namespace}:c:${nodeId}`;
  }

  /** Channel of what concerns every client of every node. */
  get everyone(): string {
    return `${this.namespace}:everyone`;
  }

  /** Channel on which a node proves its links to itself. */
  probe(nodeId: string): string {
    return `${this.namespace}:p:${nodeId}`;
  }

  /** Key that a node writes before it waits for the replicas. */
  fence(nodeId: string): string {
    return `${this.namespace}:fence:${nodeId}`;
  }

  /** Stream of the jobs of a group of nodes; the channel that wakes them has the same name. */
  jobs(group: string): string {
    return `${this.namespace}:j:${group}`;
  }

  /** Stream of the jobs of a group that were given up; in the hash slot of {@link jobs}. */
  deadJobs(group: string): string {
    return `${this.namespace}:{${this.jobs(group)}}:dead`;
  }

  /** Sorted set: jobs of a group that failed and wait for their next attempt → until when that is believed; in the hash slot of {@link jobs}. */
  failedJobs(group: string): string {
    return `${this.namespace}:{${this.jobs(group)}}:failed`;
  }

  /** Channel of one node. */
  node(nodeId: string): string {
    return `${this.namespace}:n:${nodeId}`;
  }

  /** Channel of all nodes. */
  get cluster(): string {
    return `${this.namespace}:cluster`;
  }

  /** Contract of the nodes whose lease names this hash: the commands that clients may send them, JSON. */
  contract(hash: string): string {
    return `${this.namespace}:contract:${hash}`;
  }

  /** Sorted set of the live nodes: node id → when its lease ends, ms since 1970. */
  get nodes(): string {
    return `${this.namespace}:nodes`;
  }

  /** Hash of the live nodes' own records: node id → JSON; in the hash slot of {@link nodes}. */
  get nodeRecords(): string {
    return `${this.namespace}:{${this.nodes}}:records`;
  }
}

/** A text as a part of a key that ends no hash tag; no two texts have the same. */
function escaped(text: string): string {
  return text.replace(/[%}]/g, encodeURIComponent);
}

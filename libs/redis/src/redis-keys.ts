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
  /** Hash: record of the numbered commands of one lane. */
  lane(lane: string): string;
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
      lane: (lane) => `${prefix}:k:${lane}`,
    };
  }

  /** Keys of one session, in one hash slot. */
  session(id: string): SessionKeys {
    const prefix = `${this.namespace}:s:{${id}}`;
    return { record: prefix, lanes: `${prefix}:l`, rooms: `${prefix}:r` };
  }

  /** What the nodes sign resume tokens with, where no secret is configured. */
  get secret(): string {
    return `${this.namespace}:secret`;
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

  /** Channel of one node. */
  node(nodeId: string): string {
    return `${this.namespace}:n:${nodeId}`;
  }

  /** Channel of all nodes. */
  get cluster(): string {
    return `${this.namespace}:cluster`;
  }

  /** Sorted set of the live nodes: node id → when its lease ends, ms since 1970. */
  get nodes(): string {
    return `${this.namespace}:nodes`;
  }

  /** Hash of what the live nodes say of themselves: node id → JSON; in the hash slot of {@link nodes}. */
  get nodeRecords(): string {
    return `${this.namespace}:{${this.nodes}}:records`;
  }
}

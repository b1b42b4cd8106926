import type { PlaceCounts, PlaceLimit } from '@wss/cluster';
import { type GiveBack, PlaceSource } from '@wss/messaging';

/** The limits of places. */
export interface PlaceLimits {
  readonly connectionsPerUser: PlaceLimit;
  readonly membersPerRoom: PlaceLimit;
}

const NOTHING: GiveBack = () => undefined;

/** Places of users and rooms, counted over all nodes. */
export class ClusterPlaces extends PlaceSource {
  constructor(
    private readonly counts: PlaceCounts,
    private readonly limits: PlaceLimits,
  ) {
    super();
  }

  inRoom(room: string, most: number, isMember: boolean): Promise<GiveBack | undefined> {
    const limit = most > 0 ? { most } : this.limits.membersPerRoom;
    return this.take(`r:${room}`, limit, isMember);
  }

  ofUser(user: string): Promise<GiveBack | undefined> {
    return this.take(`u:${user}`, this.limits.connectionsPerUser);
  }

  private async take(name: string, limit: PlaceLimit, always = false): Promise<GiveBack | undefined> {
    if (limit.most === Infinity) return NOTHING;
    const isTaken = await this.counts.take(name, always ? { ...limit, most: Infinity } : limit);
    return isTaken ? () => this.counts.release(name) : undefined;
  }
}

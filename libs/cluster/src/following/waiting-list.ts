/** Callers that wait for something that is read once for all of them. */
export class WaitingList<Place extends object> {
  private readonly places = new Set<Place>();

  /** The one that has waited longest; undefined if nobody waits. */
  get first(): Place | undefined {
    const [first] = this.places;
    return first;
  }

  /** Does the work of a caller that waits until it is done, or gives up before. */
  async during<T>(place: Place, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const leave = (): void => void this.places.delete(place);
    this.places.add(place);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await work();
    } finally {
      signal?.removeEventListener('abort', leave);
      leave();
    }
  }
}

/**
 * Lets callers share one call. Each caller gets the outcome of a call that began after its request, so that the
 * result is not older than the request.
 */
export class SharedCall {
  private running?: Promise<void>;
  private next?: Promise<void>;

  constructor(private readonly call: () => Promise<void>) {}

  run(): Promise<void> {
    if (!this.running) return this.start();
    this.next ??= this.running.then(
      () => this.start(),
      () => this.start(),
    );
    return this.next;
  }

  private start(): Promise<void> {
    delete this.next;
    const running = this.call().finally(() => {
      if (this.running === running) delete this.running;
    });
    this.running = running;
    return running;
  }
}

/** The options of an application for its handlers; a module may provide them: `bindValue(HandlerOptions, { … })`. */
export abstract class HandlerOptions {
  /**
   * True if the application's global guards, interceptors and pipes run on commands, as they do on the messages of
   * Nest's own gateways; default true. They never run on `$` events, nor on cluster events, calls and jobs.
   */
  abstract readonly globalEnhancers: boolean;

  /**
   * True if Nest's wrappers are also around commands' handlers without guards, pipes, interceptors and filters, where
   * they do nothing; default false.
   */
  readonly wrapsAll?: boolean;
}

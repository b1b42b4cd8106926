import { BaseRpcContext } from '@nestjs/microservices';

/** One run of a job. */
export interface JobRun {
  /** Id of the job, the same each time that it runs: a handler recognizes a repetition by it. */
  readonly id: string;
  /** Number of the attempt, from 1 to 5, counted over all nodes. */
  readonly attempt: number;
}

/** The context that a handler of cluster events, calls and jobs gets from `@Ctx()`. */
export class ClusterContext extends BaseRpcContext<[pattern: string, nodeId: string, job?: JobRun]> {
  /** The event or call. */
  getPattern(): string {
    return this.args[0];
  }

  /** The sending node, which may be this one. */
  getNodeId(): string {
    return this.args[1];
  }

  /** The job; undefined for events and calls. */
  getJob(): JobRun | undefined {
    return this.args[2];
  }
}

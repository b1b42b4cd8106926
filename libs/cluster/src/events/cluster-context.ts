import { BaseRpcContext } from '@nestjs/microservices';

/** One run of a job. */
export interface JobRun {
  /** The same each time that the job runs: what a handler knows a repetition by. */
  readonly id: string;
  /** Which attempt this is, from 1 to 5, on whichever node. */
  readonly attempt: number;
}

/** The context that a handler of cluster events, calls and jobs gets from `@Ctx()`. */
export class ClusterContext extends BaseRpcContext<[pattern: string, nodeId: string, job?: JobRun]> {
  /** The event or call. */
  getPattern(): string {
    return this.args[0];
  }

  /** The node that it comes from, which may be this one. */
  getNodeId(): string {
    return this.args[1];
  }

  /** The job that this is; nothing for events and calls. */
  getJob(): JobRun | undefined {
    return this.args[2];
  }
}

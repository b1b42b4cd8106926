import { BaseRpcContext } from '@nestjs/microservices';

/** What a handler of cluster events and calls gets from `@Ctx()`. */
export class ClusterContext extends BaseRpcContext<[pattern: string, nodeId: string]> {
  /** The event or call. */
  getPattern(): string {
    return this.args[0];
  }

  /** The node that it comes from, which may be this one. */
  getNodeId(): string {
    return this.args[1];
  }
}

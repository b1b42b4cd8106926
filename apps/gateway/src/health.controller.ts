import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { NodeIdentity } from '@wss/messaging';
import { Readiness } from './readiness.js';

/** Health for whoever runs the node; needs no token. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly node: NodeIdentity,
  ) {}

  /** The process runs. */
  @Get('live')
  live(): object {
    return { status: 'ok', nodeId: this.node.nodeId };
  }

  /** The node may get clients; 503 with the reasons while it may not. */
  @Get('ready')
  ready(): object {
    const problems = this.readiness.problems();
    const { nodeId } = this.node;
    if (problems.length > 0) throw new ServiceUnavailableException({ status: 'error', nodeId, problems });
    return { status: 'ok', nodeId };
  }
}

import { Logger, type Type } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { DemoNodes, DemoSelf } from './demo-nodes.js';
import type { DemoKill, DemoNodesView, DemoRefused } from './demo-nodes.view.js';

/** A frame to the page. */
interface DemoFrame<Data> {
  readonly event: string;
  readonly data: Data;
}

/**
 * The gateways that answer the demo page: native ones on the router's path, so that the contract, which clients are
 * built on, has nothing of them.
 * @param path of the WebSocket
 * @param mayKill adds the one that ends the node's process; without it `demo.kill` is an unknown event
 */
export function demoGateways(path: string, mayKill: boolean): Type<object>[] {
  @WebSocketGateway({ path })
  class DemoNodesGateway {
    constructor(private readonly nodes: DemoNodes) {}

    /** While the engine is out of reach the page keeps what it knows. */
    @SubscribeMessage('demo.nodes')
    async list(): Promise<DemoFrame<DemoNodesView> | undefined> {
      const view = await this.nodes.view().catch(() => undefined);
      return view && { event: 'demo.nodes', data: view };
    }
  }
  return mayKill ? [DemoNodesGateway, killGateway(path)] : [DemoNodesGateway];
}

function killGateway(path: string): Type<object> {
  @WebSocketGateway({ path })
  class DemoKillGateway {
    private readonly logger = new Logger('Demo');

    constructor(
      private readonly nodes: DemoNodes,
      private readonly self: DemoSelf,
    ) {}

    /** Ends this process as a crash would: nothing is closed, told or saved. */
    @SubscribeMessage('demo.kill')
    async kill(@MessageBody() wish: DemoKill | undefined): Promise<DemoFrame<DemoRefused> | undefined> {
      if (wish?.node !== this.self.nodeId) return undefined;
      const { mayKill, why = "This node can't be killed." } = await this.nodes.view();
      if (!mayKill) return { event: 'demo.refused', data: { message: why } };
      this.logger.warn('killed from the demo page');
      process.kill(process.pid, 'SIGKILL');
      return undefined;
    }
  }
  return DemoKillGateway;
}

import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Cluster, type ClusterAnswer } from '@wss/nest';
import { filter, firstValueFrom, map, toArray } from 'rxjs';
import { type DemoNode, type DemoNodesView, ONLY_NODE } from './demo-nodes.view.js';

/** How long a node may take to say what it is before it is shown as silent, ms. */
const ANSWER_WITHIN_MS = 500;
/** How long what was found counts, ms: however many pages ask, the cluster is asked this often. */
const FRESH_MS = 400;

/** The process and the machine of a node. */
interface NodeProcess {
  readonly pid: number;
  readonly host: string;
  readonly upMs: number;
}

/** The name that the log of this node has. */
export class DemoSelf {
  constructor(
    readonly nodeId: string,
    /** True if the demo may end this node's process: in development only. */
    readonly mayDie: boolean,
  ) {}
}

/** Finds the nodes for the demo page, and tells which of them serves it. */
@Injectable()
export class DemoNodes {
  private found?: { readonly at: number; readonly nodes: Promise<DemoNode[]> };

  constructor(
    private readonly cluster: Cluster,
    private readonly self: DemoSelf,
  ) {}

  /** Answers the other nodes. */
  @MessagePattern('demo.process')
  process(): NodeProcess {
    return { pid: process.pid, host: hostname(), upMs: Math.round(process.uptime() * 1_000) };
  }

  /**
   * The nodes that hold a lease; one that does not answer is silent: it is dead, and its lease has not ended yet.
   * @throws GatewayError `unavailable`
   */
  async view(): Promise<DemoNodesView> {
    const nodes = await this.nodes();
    const { nodeId, mayDie } = this.self;
    const others = nodes.filter(({ node, isSilent }) => node !== nodeId && !isSilent);
    return { node: nodeId, nodes, mayKill: mayDie && others.length > 0, ...this.why(others.length) };
  }

  private why(others: number): { readonly why?: string } {
    return this.self.mayDie && others === 0 ? { why: ONLY_NODE } : {};
  }

  private nodes(): Promise<DemoNode[]> {
    const now = performance.now();
    if (!this.found || now - this.found.at >= FRESH_MS) this.found = { at: now, nodes: this.look() };
    return this.found.nodes;
  }

  /** In the order of their starts, so that a node keeps its place. */
  private async look(): Promise<DemoNode[]> {
    const order = (await this.cluster.nodes()).map(({ nodeId }) => nodeId);
    const placeOf = ({ node }: DemoNode): number =>
      order.includes(node) ? order.indexOf(node) : order.length;
    const answers = this.cluster.call<NodeProcess>('demo.process', {}, { timeoutMs: ANSWER_WITHIN_MS });
    // A node of another release, or without the demo, is shown without its process.
    const nodes = await firstValueFrom(answers.pipe(filter(isThere), map(nodeOf), toArray()));
    return nodes.sort((a, b) => placeOf(a) - placeOf(b));
  }
}

function isThere(answer: ClusterAnswer<NodeProcess>): boolean {
  return !('error' in answer) || answer.error.code === 'unknown_event';
}

function nodeOf(answer: ClusterAnswer<NodeProcess>): DemoNode {
  const { nodeId: node } = answer;
  return { node, isSilent: 'missing' in answer, ...('data' in answer && answer.data) };
}

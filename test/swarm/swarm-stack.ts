import { expect } from '@jest/globals';
import { text } from 'node:stream/consumers';
import { eventually, freePort } from '@wss/testing';
import { WebSocket } from 'ws';
import { docker, dockerLines, dockerTalk } from './docker.js';
import { CONNECT, REVOKE } from './inside-scripts.js';

/** Variables of the stack file. */
export type StackEnv = Readonly<Record<string, string>>;

/** How long Docker may take for a change of the stack, ms. */
const WITHIN_MS = 400_000;
const EVERY_MS = 500;
const NAMESPACE = 'com.docker.stack.namespace';

/** Runs a script, with arguments behind it. */
const NODE = ['node', '--input-type=module', '-e'];

/** Connections from inside. */
export interface KeptConnections {
  /** How many attempts got each status; 101: connected. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Ends them. */
  end(): Promise<void>;
}

/** A node's answer. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A stack on the Swarm that the `docker` command talks to; its published port must answer at `SWARM_HOST`. */
export class SwarmStack {
  private constructor(
    private readonly name: string,
    private readonly file: string,
    private readonly port: number,
  ) {}

  /** Prepares a stack on a free port, and removes what an earlier run left of it. */
  static async prepare(name: string, file: string): Promise<SwarmStack> {
    const stack = new SwarmStack(name, file, await freePort());
    await stack.remove();
    return stack;
  }

  /** Where clients connect. */
  get url(): string {
    return `ws://${process.env.SWARM_HOST || '127.0.0.1'}:${this.port}/`;
  }

  /** Where everybody else asks. */
  get httpUrl(): string {
    return this.url.replace('ws:', 'http:');
  }

  /** Deploys the stack file and others on top, or changes what is deployed; does not wait until it has come about. */
  async deploy(env: StackEnv, ...more: readonly string[]): Promise<void> {
    const ours = { PUBLISHED_PORT: String(this.port), HAPROXY_CONFIG: this.name };
    const files = [this.file, ...more].flatMap((file) => ['-c', file]);
    await docker(['stack', 'deploy', ...files, this.name], { env: { ...ours, ...env } });
  }

  /** Makes a secret that is removed with the stack, and returns its name. */
  async addSecret(secret: string, value: string): Promise<string> {
    const name = this.serviceName(secret);
    await docker(['secret', 'create', ...this.label(), name, '-'], { input: value });
    return name;
  }

  /** Asks for a WebSocket and returns the status of the complete response that refuses it. */
  async refusal(target: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
    const url = new URL(target, this.httpUrl);
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url.href.replace('http:', 'ws:'), ['wss.v1'], { headers });
      socket.once('open', () => reject(new Error(`${target} was let in`)));
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        text(response).then(() => resolve(response.statusCode!), reject);
      });
    });
  }

  /** Asks each node on a port that only the stack's network reaches. */
  async inside(
    port: number,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer[]> {
    const script = `
      const { lookup } = await import('node:dns/promises');
      const nodes = await lookup('tasks.gateway', { all: true });
      const ask = ({ address }) => fetch('http://' + address + ':${port}${path}', ${JSON.stringify({ headers })});
      const answers = await Promise.all(nodes.map(ask));
      const told = answers.map(async (answer) => ({ status: answer.status, text: await answer.text() }));
      console.log(JSON.stringify(await Promise.all(told)));`;
    return JSON.parse(await this.runInside(0, script)) as Answer[];
  }

  /** Revokes a user by a process of its own, which joins the cluster, as a job of an operator does. */
  async revoke(user: string): Promise<void> {
    await this.runInside(0, REVOKE, [user]);
  }

  /** Connects from the container of a gateway, through the balancer, and keeps the connections until they are ended. */
  async connectionsFrom(
    gateway: number,
    { attempts, headers }: { readonly attempts: number; readonly headers: Readonly<Record<string, string>> },
  ): Promise<KeptConnections> {
    const containers = await this.containers('gateway');
    const args = ['exec', '--interactive', containers[gateway]!, ...NODE, CONNECT];
    const talk = await dockerTalk([...args, String(attempts), JSON.stringify(headers)]);
    return { statuses: JSON.parse(talk.line) as Record<string, number>, end: () => talk.end() };
  }

  private async runInside(gateway: number, script: string, args: readonly string[] = []): Promise<string> {
    const containers = await this.containers('gateway');
    return docker(['exec', containers[gateway]!, ...NODE, script, ...args]);
  }

  /** Resolves when that many tasks of a service run and none is leaving any more. */
  async settled(replicas: number, service = 'gateway'): Promise<void> {
    const running = ['--filter', 'desired-state=running', '--format', '{{.CurrentState}}'];
    await eventually(
      async () => {
        const states = await dockerLines(['service', 'ps', ...running, this.serviceName(service)]);
        expect(states.filter((state) => state.startsWith('Running'))).toHaveLength(replicas);
        expect(await this.containers(service)).toHaveLength(replicas);
      },
      { withinMs: WITHIN_MS, everyMs: EVERY_MS },
    );
  }

  /** Resolves when requests reach that many nodes; as long as there are no clients, the balancer takes turns. */
  async reachable(nodes: number): Promise<void> {
    await eventually(async () => expect(await this.answeringNodes(nodes * 4)).toBe(nodes), {
      withinMs: WITHIN_MS,
      everyMs: EVERY_MS,
    });
  }

  /** Resolves when Docker says that the update of a service has ended as expected; fails with its tasks otherwise. */
  async updated(service: string, expected: 'completed' | 'rollback_completed'): Promise<void> {
    const state = await eventually(
      async () => {
        const found = await this.inspect(service, '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}');
        expect(found).toMatch(/^(completed|paused|rollback_completed|rollback_paused)$/);
        return found;
      },
      { withinMs: WITHIN_MS, everyMs: EVERY_MS },
    );
    if (state === expected) return;
    const tasks = await docker(['service', 'ps', '--no-trunc', this.serviceName(service)]);
    throw new Error(`the update ended as ${state}:\n${tasks}`);
  }

  /** The output of `docker service inspect` in that format. */
  inspect(service: string, format: string): Promise<string> {
    return docker(['service', 'inspect', '--format', format, this.serviceName(service)]);
  }

  async scale(service: string, replicas: number): Promise<void> {
    await docker(['service', 'scale', '--detach', `${this.serviceName(service)}=${replicas}`]);
  }

  /** Starts a service of its own inside the stack's network. */
  async addService(name: string, args: readonly string[]): Promise<void> {
    const network = ['--network', `${this.name}_wss`, '--endpoint-mode', 'dnsrr'];
    const options = ['--detach', ...this.label(), ...network];
    await docker(['service', 'create', ...options, '--name', this.serviceName(name), ...args]);
  }

  /** Ids of a service's running containers on this machine. */
  containers(service: string): Promise<string[]> {
    const label = `com.docker.swarm.service.name=${this.serviceName(service)}`;
    return dockerLines(['ps', '--quiet', '--filter', `label=${label}`]);
  }

  /** Kills one container of a gateway as `kill -9` does, and returns the id of the node in it. */
  async killGateway(): Promise<string> {
    const [container] = await this.containers('gateway');
    const script = "fetch('http://127.0.0.1:3000/health/live').then((a) => a.text()).then(console.log)";
    const { nodeId } = JSON.parse(await docker(['exec', container!, 'node', '-e', script])) as Health;
    await docker(['kill', '--signal', 'KILL', container!]);
    return nodeId;
  }

  /** Removes everything, and resolves when nothing of it is left. */
  async remove(): Promise<void> {
    const filter = ['--quiet', '--filter', `label=${NAMESPACE}=${this.name}`];
    await docker(['stack', 'rm', this.name]);
    await eventually(
      async () => {
        const containers = await dockerLines(['ps', '--all', ...filter]);
        expect([...containers, ...(await dockerLines(['network', 'ls', ...filter]))]).toEqual([]);
      },
      { withinMs: WITHIN_MS, everyMs: EVERY_MS },
    );
    const volumes = await dockerLines(['volume', 'ls', ...filter]);
    if (volumes.length > 0) await docker(['volume', 'rm', ...volumes]);
  }

  /** Makes what carries it a part of the stack. */
  private label(): string[] {
    return ['--label', `${NAMESPACE}=${this.name}`];
  }

  private serviceName(service: string): string {
    return `${this.name}_${service}`;
  }

  private async answeringNodes(requests: number): Promise<number> {
    const url = new URL('health/live', this.httpUrl);
    const answers = await Promise.all(
      Array.from({ length: requests }, async () => {
        const answer = await fetch(url, { headers: { connection: 'close' } });
        expect(answer.status).toBe(200);
        return ((await answer.json()) as Health).nodeId;
      }),
    );
    return new Set(answers).size;
  }
}

interface Health {
  readonly nodeId: string;
}

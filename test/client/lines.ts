import { expect } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { WssClient, type WssClientOptions, type WssError } from '@wss/client';
import { eventually, GatewayNode, TcpProxy } from '@wss/testing';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

/** Everything that the running test has opened, for its end. */
export const endings: (() => unknown)[] = [];

/** Ends what a test has opened, the newest first. */
export async function endAll(): Promise<void> {
  for (const end of endings.splice(0).toReversed()) await end();
}

/** A client that tries again soon, until the test ends. */
export function open(url: string, options: WssClientOptions = {}): WssClient {
  const client = new WssClient(url, { WebSocket, backoff: { firstMs: 20, mostMs: 100 }, ...options });
  endings.push(() => client.close());
  return client;
}

/** How a call ended: `ok`, or the code of its error. */
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: WssError) => error.code,
  );

/** A proxy in front of a port, until the test ends. */
export const proxied = async (port: number): Promise<TcpProxy> => {
  const proxy = await TcpProxy.start({ to: port });
  endings.push(() => proxy.stop());
  return proxy;
};

/** A node, until the test ends. */
export const startNode = async (env: NodeJS.ProcessEnv = {}): Promise<GatewayNode> => {
  const node = await GatewayNode.start({ env });
  endings.push(() => node.stop());
  return node;
};

export const isOpen = (client: WssClient): Promise<void> =>
  eventually(() => expect(client.status.state).toBe('open'), { withinMs: 10_000 });

export interface Frame {
  readonly event: string;
  readonly id: number;
  readonly room?: string;
  readonly data: Record<string, unknown>;
  readonly n?: number;
}

/** One connection of a server that does what the test says. */
export interface Line {
  readonly socket: WebSocket;
  readonly turn: number;
  readonly frames: Frame[];
  readonly protocols: string[];
  send(frame: object): void;
  /** The next frame of this name. */
  next(event: string): Promise<Frame>;
}

/** A server of ours that greets and answers nothing but pings. */
export function scripted(
  script: (line: Line) => void = () => undefined,
  options: ServerOptions = {},
): { url: string; lines: Line[] } {
  const lines: Line[] = [];
  const server = new WebSocketServer({ port: 0, handleProtocols: () => 'wss.v1', ...options });
  server.on('connection', (socket, request) => {
    const frames: Frame[] = [];
    const send = (frame: object): void => socket.send(JSON.stringify(frame));
    const line: Line = {
      socket,
      turn: lines.length,
      frames,
      protocols: (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()),
      send,
      next: (event) =>
        eventually(() => {
          const at = frames.findIndex((frame) => frame.event === event);
          expect(at).toBeGreaterThanOrEqual(0);
          return frames.splice(at, 1)[0]!;
        }),
    };
    lines.push(line);
    socket.on('message', (message) => {
      const frame = JSON.parse(String(message)) as Frame;
      if (frame.event === '$ping') send({ id: frame.id, data: {} });
      else frames.push(frame);
    });
    script(line);
  });
  endings.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, lines };
}
/** The greeting of a server of ours. */
export const hello = (data: object = {}): object => ({
  event: '$hello',
  data: {
    ...{ session: 's', token: 't', resumed: false, client: 'c', user: 'u', rooms: [] },
    ...{ heartbeatMs: 25_000, maxFrameBytes: 65_536, ...data },
  },
});
export const greeting = ({ send }: Line): void => send(hello());
/** The reply to a join that goes on at this event. */
export const start = (seq: number, more: object = {}): object => ({
  epoch: '1.a',
  seq,
  recovered: true,
  missed: 0,
  ...more,
});

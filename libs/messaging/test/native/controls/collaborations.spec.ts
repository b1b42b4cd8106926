import { describe, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import { WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { WebSocket, type WebSocketServer as Server } from 'ws';
import { agrees } from './agrees.js';
import type { RecordedClient, Stage } from './stage.js';

/** Kinds of messages: a binary protocol in the manner of shared documents. */
const SYNC = 0;
const AWARENESS = 1;
/** Steps of a sync: what I have, what you lack, what is new. */
const HAVE = 0;
const LACK = 1;
const UPDATE = 2;

/** A document whose edits may come in any order and more than once: a set of bytes. */
class ByteSet {
  private readonly bytes = new Set<number>();

  get values(): number[] {
    return [...this.bytes].sort((a, b) => a - b);
  }

  lackedBy(others: Iterable<number>): number[] {
    const has = new Set(others);
    return this.values.filter((byte) => !has.has(byte));
  }

  /** Returns those that are new. */
  add(bytes: Iterable<number>): number[] {
    const fresh = [...bytes].filter((byte) => !this.bytes.has(byte));
    for (const byte of fresh) this.bytes.add(byte);
    return fresh;
  }
}

/** A document and the clients that have it open, with what each says of itself. */
class SharedDocument {
  readonly edits = new ByteSet();
  readonly members = new Map<WebSocket, number[]>();

  /** Answers one message of a member. */
  hear(from: WebSocket, [kind, step, ...bytes]: Uint8Array): void {
    if (kind === AWARENESS) {
      this.members.set(from, [step!, ...bytes]);
      this.tell([AWARENESS, step!, ...bytes]);
    } else if (step === HAVE) {
      from.send(Uint8Array.from([SYNC, LACK, ...this.edits.lackedBy(bytes)]));
    } else {
      const fresh = this.edits.add(bytes);
      if (fresh.length > 0) this.tell([SYNC, UPDATE, ...fresh], from);
    }
  }

  tell(message: number[], but?: WebSocket): void {
    for (const member of this.members.keys()) {
      if (member !== but && member.readyState === WebSocket.OPEN) member.send(Uint8Array.from(message));
    }
  }

  leave(member: WebSocket): void {
    const state = this.members.get(member);
    this.members.delete(member);
    if (state?.length) this.tell([AWARENESS, state[0]!]);
  }
}

/** A document that opens for its first member, as if it came from a store. */
class Documents {
  private readonly documents = new Map<string, SharedDocument>();

  of(url: string): SharedDocument {
    const name = new URL(url, 'ws://x').searchParams.get('doc')!;
    if (!this.documents.has(name)) this.documents.set(name, new SharedDocument());
    return this.documents.get(name)!;
  }

  async load(url: string): Promise<SharedDocument> {
    await nextTurn();
    const document = this.of(url);
    document.edits.add([100]);
    return document;
  }
}

const bytes = (...values: number[]): Buffer => Buffer.from(values);

async function edit(stage: Stage): Promise<void> {
  const open = (): Promise<RecordedClient> => stage.client('/documents?doc=a');
  const ann = await open();
  ann.send(bytes(SYNC, HAVE));
  await ann.got(2);
  ann.send(bytes(AWARENESS, 1, 7));
  await ann.got(3);
  ann.send(bytes(SYNC, UPDATE, 3, 1, 2));
  const bob = await open();
  bob.send(bytes(SYNC, HAVE, 2));
  await bob.got(2);
  bob.send(bytes(SYNC, LACK, 9, 2));
  await ann.got(4);
  bob.send(bytes(AWARENESS, 2, 8));
  await Promise.all([ann.got(5), bob.got(3)]);
  for (let value = 10; value < 60; value++) ann.send(bytes(SYNC, UPDATE, value));
  await bob.got(53);
  const other = await stage.client('/documents?doc=b');
  other.send(bytes(SYNC, HAVE));
  await other.got(2);
  bob.socket.terminate();
  await ann.got(6);
  await ann.close(1000);
  const again = await open();
  again.send(bytes(SYNC, HAVE));
  await again.got(2);
}

describe('a collaboration sees and sends under this adapter what it does under that of Nest', () => {
  it('where a function takes each connection over, with messages and pings of its own', () =>
    agrees({
      gateways: (note) => {
        /** Takes a connection over, as libraries for shared documents do. */
        function setUpConnection(
          documents: Documents,
          connection: WebSocket,
          { url }: IncomingMessage,
        ): void {
          connection.binaryType = 'arraybuffer';
          const document = documents.of(url!);
          document.members.set(connection, []);
          connection.on('message', (message: ArrayBuffer) =>
            document.hear(connection, new Uint8Array(message)),
          );
          connection.on('close', () => document.leave(connection));
          connection.on('pong', () => note('pong'));
          connection.ping();
          connection.send(Uint8Array.from([SYNC, HAVE, ...document.edits.values]));
        }
        @WebSocketGateway({ path: '/documents' })
        class DocumentsGateway {
          private readonly documents = new Documents();

          handleConnection(connection: WebSocket, request: IncomingMessage): void {
            setUpConnection(this.documents, connection, request);
          }
        }
        return { providers: [DocumentsGateway] };
      },
      async play(stage) {
        await edit(stage);
        await stage.noted(4);
      },
    }));

  it('where the document is loaded first, and messages wait in a list of its own meanwhile', () =>
    agrees({
      gateways: (note) => {
        @WebSocketGateway({ path: '/documents' })
        class LoadingGateway {
          @WebSocketServer()
          server!: Server;
          private readonly documents = new Documents();
          private readonly opened = new Map<WebSocket, SharedDocument>();

          async handleConnection(client: WebSocket, { url }: IncomingMessage): Promise<void> {
            const waiting: Buffer[] = [];
            const keep = (message: Buffer): unknown => waiting.push(message);
            client.on('message', keep);
            const document = await this.documents.load(url!);
            client.off('message', keep);
            this.opened.set(client, document);
            document.members.set(client, []);
            client.send(Uint8Array.from([SYNC, HAVE, ...document.edits.values]));
            for (const message of waiting) document.hear(client, message);
            client.on('message', (message: Buffer) => document.hear(client, message));
          }

          handleDisconnect(client: WebSocket): void {
            const document = this.opened.get(client)!;
            document.leave(client);
            note(`saved ${document.edits.values.length} with ${this.server.clients.size}`);
          }
        }
        return { providers: [LoadingGateway] };
      },
      async play(stage) {
        await edit(stage);
        await stage.noted(2);
      },
    }));
});

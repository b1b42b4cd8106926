import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { FeedHold } from '@wss/cluster';
import { ClientConnections, ClientSocket, type ConnectionPorts } from '@wss/messaging';
import { newSeed, Random } from '@wss/testing';
import { WebSocketServer } from 'ws';
import { Den } from './den.js';

/** Undoes what a bug has changed. */
type Undo = () => void;

/** Takes another method into a class for the time of a test; the product has no switch for bugs. */
function instead(of: object, name: string, wrap: (original: (...args: never[]) => unknown) => unknown): Undo {
  const methods = of as Record<string, (...args: never[]) => unknown>;
  const original = methods[name]!;
  methods[name] = wrap(original) as typeof original;
  return () => void (methods[name] = original);
}

interface Planted {
  readonly bug: string;
  readonly plant: () => Undo;
  readonly latencyMs?: number;
  /** The state that the check must report as left over. */
  readonly found: RegExp;
}

const PLANTED: readonly Planted[] = [
  {
    bug: 'R26: a session is opened before its handshake is judged, and closed by the client that it makes',
    found: /SessionKeeper\.connected/,
    plant: () => {
      const undoJudging = instead(
        WebSocketServer.prototype,
        'handleUpgrade',
        (handleUpgrade) =>
          function (this: WebSocketServer, request: never, ...rest: never[]) {
            const { verifyClient, ...options } = this.options;
            const unverified = Object.create(this, { options: { value: options } }) as never;
            const admit = verifyClient as (info: object, done: (isFit: boolean) => void) => void;
            admit({ req: request }, (isFit) => isFit && handleUpgrade.call(unverified, request, ...rest));
          },
      );
      const undoBinding = instead(ClientConnections.prototype, 'bindToSocket', () => () => undefined);
      const undoEnd = instead(
        ClientConnections.prototype,
        'end',
        (end) =>
          function (this: ClientConnections, client: never, code: never) {
            end.call(this, client, code);
            const { session, pathContext } = client as ClientSocket;
            const { ports } = pathContext.connections as unknown as { ports: ConnectionPorts };
            if (session) ports.sessions.disconnected(session);
          },
      );
      return () => [undoJudging, undoBinding, undoEnd].forEach((undoOne) => undoOne());
    },
  },
  {
    bug: 'R26: a join that comes too late keeps its room',
    latencyMs: 340,
    found: /RoomFeed\.rooms/,
    plant: () => {
      const underWay = new WeakSet<object>();
      const undoBegin = instead(
        FeedHold.prototype,
        'begin',
        (begin) =>
          async function (this: FeedHold, ...request: never[]) {
            underWay.add(this);
            await begin.apply(this, request);
            underWay.delete(this);
          },
      );
      const undoRelease = instead(
        FeedHold.prototype,
        'release',
        (release) =>
          function (this: FeedHold) {
            if (!underWay.has(this)) release.call(this);
          },
      );
      return () => {
        undoBegin();
        undoRelease();
      };
    },
  },
  {
    bug: 'R29: the state of a room is kept for a command that was refused',
    found: /ClientSocket\.roomStates/,
    plant: () =>
      instead(
        ClientSocket.prototype,
        'freeRoom',
        (free) =>
          function (this: ClientSocket, room: never) {
            if (this.roomState(room)?.uses !== 1 || this.roomState(room)?.hold) free.call(this, room);
          },
      ),
  },
];

let den: Den | undefined;
let undo: Undo | undefined;
afterEach(async () => {
  await den?.stop();
  undo?.();
  den = undefined;
  undo = undefined;
  Logger.overrideLogger(['error', 'fatal']);
});

describe('planted bugs of lifetimes', () => {
  it.each(PLANTED)('are found: $bug', async ({ plant, latencyMs = 0, found }) => {
    Logger.overrideLogger(false);
    den = await Den.open('redis');
    undo = plant();
    den.latencyMs = latencyMs;
    await den.visit(100, new Random(newSeed()));
    den.latencyMs = 0;
    await expect(den.expectNothingLeft(7_000)).rejects.toThrow(found);
  });
});

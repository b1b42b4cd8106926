import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { GatewayError } from '@wss/core';
import type { ClientSocket } from '../socket/client-socket.js';
import { PeerContracts } from '../ports/ports.js';
import { RoutedCommand } from './routed-command.js';
import { ELSEWHERE_MS, UnknownEvents } from './unknown-events.js';

/** Other nodes that know everything that starts with `new`. */
class NewerPeers extends PeerContracts {
  knows(event: string): Promise<boolean> {
    return Promise.resolve(event.startsWith('new'));
  }
  knowsRooms(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

const REFUSAL = new GatewayError('unknown_event', 'no handler for this event');

/** As much of a connection as is asked for. */
function connection(id: string, user = 'ann'): ClientSocket {
  const parts = { session: { id }, user, id, pause: () => undefined, inFlight: 1 };
  return parts as unknown as ClientSocket;
}

function commandOf(client: ClientSocket, n: number | undefined, event = 'new.event'): RoutedCommand {
  const frame = { event, data: {}, room: 'note:1', id: 1 };
  const number =
    n === undefined ? {} : { number: { session: 's', generation: 1, sessionEndsAt: 0, n, ack: 0 } };
  return new RoutedCommand({ client, frame, deadline: 0, ...number });
}

describe('a command that only another node knows', () => {
  const clock = jest.spyOn(performance, 'now');
  afterEach(() => void clock.mockReset());
  const codeOf = async (unknown: UnknownEvents, command: RoutedCommand): Promise<string> =>
    (await unknown.judge(command, REFUSAL)).code;

  it('is refused for good once it was sent elsewhere for a minute, and no other with it', async () => {
    const unknown = new UnknownEvents(new NewerPeers());
    const at = (ms: number): void => void clock.mockReturnValue(ms);
    at(0);
    expect(await codeOf(unknown, commandOf(connection('s'), 1))).toBe('unavailable');
    at(ELSEWHERE_MS - 1);
    expect(await codeOf(unknown, commandOf(connection('s'), 1))).toBe('unavailable');
    at(ELSEWHERE_MS);
    expect(await codeOf(unknown, commandOf(connection('s'), 2))).toBe('unavailable');
    expect(await codeOf(unknown, commandOf(connection('t'), 1))).toBe('unavailable');
    for (let i = 0; i < 3; i++) {
      expect(await codeOf(unknown, commandOf(connection('s'), 1))).toBe('unknown_event');
    }
  });

  it('R29: is not forgotten because another user sends many', async () => {
    const unknown = new UnknownEvents(new NewerPeers());
    clock.mockReturnValue(0);
    await unknown.judge(commandOf(connection('s'), 1), REFUSAL);
    for (let n = 1; n <= 20_000; n++) await unknown.judge(commandOf(connection('t', 'bob'), n), REFUSAL);
    const { firstSeen } = unknown as unknown as { firstSeen: Map<string, Map<string, number>> };
    expect(firstSeen.get('bob')!.size).toBe(64);
    clock.mockReturnValue(ELSEWHERE_MS);
    expect(await codeOf(unknown, commandOf(connection('s'), 1))).toBe('unknown_event');
  });

  it('is forgotten after a while, and when there are too many', async () => {
    const unknown = new UnknownEvents(new NewerPeers());
    clock.mockReturnValue(0);
    for (let n = 1; n <= 10_001; n++) await unknown.judge(commandOf(connection('s'), n), REFUSAL);
    clock.mockReturnValue(ELSEWHERE_MS);
    expect(await codeOf(unknown, commandOf(connection('s'), 10_001))).toBe('unknown_event');
    expect(await codeOf(unknown, commandOf(connection('s'), 1))).toBe('unavailable');
    clock.mockReturnValue(ELSEWHERE_MS * 12);
    expect(await codeOf(unknown, commandOf(connection('s'), 10_001))).toBe('unavailable');
  });

  it('is refused for now where the engine is out of reach, and for nothing but that', async () => {
    const failing = (error: Error): UnknownEvents =>
      new UnknownEvents({ knows: () => Promise.reject(error), knowsRooms: () => Promise.reject(error) });
    const outage = Object.assign(new Error('no answer'), { name: 'RedisError' });
    expect(await codeOf(failing(outage), commandOf(connection('s'), 1))).toBe('unavailable');
    const bug = new TypeError('a bug');
    const command = commandOf(connection('s'), 1);
    await expect(failing(bug).judge(command, REFUSAL)).rejects.toBe(bug);
    const refusal = new GatewayError('not_found', 'no such kind of room');
    await expect(failing(bug).judgeRoom(command, refusal)).rejects.toBe(bug);
  });
});

/** An event of the system, the same for every feature. */
export interface SystemEvent {
  readonly event: string;
  readonly from: 'client' | 'server';
  /** One sentence. */
  readonly text: string;
  /** Data as a frame carries it. */
  readonly example: unknown;
  readonly inRoom: boolean;
}

/** The events that begin with `$`; PROTOCOL.md has all of their fields. */
export const SYSTEM_EVENTS: readonly SystemEvent[] = [
  { event: '$join', from: 'client', inRoom: true, example: { state: true }, text: 'Makes the client a member: events come from now on.' },
  { event: '$leave', from: 'client', inRoom: true, example: {}, text: 'Ends the membership.' },
  { event: '$presence', from: 'client', inRoom: true, example: { limit: 100 }, text: 'Asks a member’s room who is here.' },
  { event: '$history', from: 'client', inRoom: true, example: { before: 100, limit: 50 }, text: 'Asks a member’s room for the events before a number.' },
  { event: '$skip', from: 'client', inRoom: true, example: {}, text: 'Gives a command’s number up, without an effect.' },
  { event: '$ping', from: 'client', inRoom: false, example: {}, text: 'Is answered at once; for browsers, which see no ping frames.' },
  { event: '$auth', from: 'client', inRoom: false, example: { token: '…' }, text: 'Brings a newer token of the same user.' },
  { event: '$hello', from: 'server', inRoom: false, example: { session: '…', token: '…', resumed: false, user: 'ann', client: '…', heartbeatMs: 25_000, maxFrameBytes: 65_536 }, text: 'Greets a client with a session, and names what it needs to resume.' },
  { event: '$presence', from: 'server', inRoom: true, example: { version: 1, joined: [{ user: 'ann' }], left: [] }, text: 'Tells members who came and who left.' },
  { event: '$reset', from: 'server', inRoom: true, example: { reason: 'trimmed', epoch: '…', seq: 7, lost: [], documents: {} }, text: 'Says that a position can’t be continued, with the state from which to go on.' },
  { event: '$epoch', from: 'server', inRoom: true, example: { epoch: '…', seq: 7 }, text: 'Says that later positions belong to a new epoch; nothing that was seen is lost.' },
  { event: '$changed', from: 'server', inRoom: true, example: {}, text: 'Numbers a change of documents that has no event of its own.' },
  { event: '$removed', from: 'server', inRoom: true, example: { reason: 'spam' }, text: 'Ends the membership, in the room’s order: nothing of the room follows.' },
  { event: '$notice', from: 'server', inRoom: false, example: { reconnectInMs: 1_500 }, text: 'Says when to come back after the close that follows, or that Redis is out of reach.' },
];

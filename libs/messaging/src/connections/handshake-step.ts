import type { Duplex } from 'node:stream';
import { settledWithin } from '@wss/protocol';
import { UpgradeRefusal } from '../ports/ports.js';

/** How long a step may take. */
export interface StepTime {
  readonly withinMs: number;
  /** Text for the log when it took longer. */
  readonly late: string;
}

/**
 * Waits for a step of a client's handshake, but no longer than its time, and not beyond the client.
 * @throws UpgradeRefusal 503 when it is late, or the client has gone; what the step rejects with
 */
export async function stepOf<T>(socket: Duplex, step: Promise<T>, { withinMs, late }: StepTime): Promise<T> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  socket.once('close', leave).on('end', destroy).on('readable', look);
  if (socket.destroyed) leave();
  try {
    if (await settledWithin(step, withinMs, gone.signal)) return await step;
  } finally {
    socket.off('close', leave).off('end', destroy).off('readable', look);
  }
  if (gone.signal.aborted) throw goneRefusal();
  throw new UpgradeRefusal(503, 'the node took too long to decide; try again', {
    check: 'deadline',
    log: late,
    kind: late,
  });
}

/** The refusal that nobody hears. */
export function goneRefusal(): UpgradeRefusal {
  return new UpgradeRefusal(503, 'the client has gone', { check: 'gone', log: '' });
}

/**
 * Reads as far as nothing has come: nobody else reads a socket during its handshake, so nobody else would notice its end.
 * Bytes that came too early stay in its buffer.
 */
function look(this: Duplex): void {
  if (this.readableLength === 0) this.read();
}

/** The client has ended it; as a server of HTTP makes it, its other half would stay open. */
function destroy(this: Duplex): void {
  this.destroy();
}

import { hash } from 'node:crypto';
import type { Command } from '@wss/core';

/** The fingerprint of a command, of event, data and user: a repeated number must carry the same one (R8). */
export function fingerprintOf(command: Command): string {
  const text = `${command.user}\n${command.event}\n${JSON.stringify(command.data) ?? ''}`;
  return hash('sha1', text, 'base64url').slice(0, 16);
}

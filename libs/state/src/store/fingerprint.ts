import { hash } from 'node:crypto';
import type { Command } from '@wss/core';

/** Tells whether a repeated number carries the same command: of event, data and user (R8). */
export function fingerprintOf(command: Command): string {
  const text = `${command.user}\n${command.event}\n${JSON.stringify(command.data) ?? ''}`;
  return hash('sha1', text, 'base64url').slice(0, 16);
}

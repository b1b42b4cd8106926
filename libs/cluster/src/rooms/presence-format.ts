/** The changes in a room since its last announcement. */
export interface PresenceDelta {
  readonly version: number;
  /** Takes effect before {@link left}. */
  readonly joined: readonly { readonly user: string; readonly meta?: object }[];
  readonly left: readonly string[];
}

/** Encodes JSON for a room's channel. It begins with "!", which no position does. */
export function encodePresence(json: string): string {
  return `!${json}`;
}

export function isPresence(message: string): boolean {
  return message.startsWith('!');
}

/** JSON of a {@link PresenceDelta}. */
export function presenceJson(message: string): string {
  return message.slice(1);
}

/** An event outside of the log. */
export interface VolatileMessage {
  /** Node that published it and has served its own clients already. */
  readonly nodeId: string;
  /** Client that must not get it. */
  readonly except?: string;
  /** JSON string. */
  readonly event: string;
  /** JSON. */
  readonly data: string;
}

/** Begins with "~", which no position does. */
export function encodeVolatile({ nodeId, except, event, data }: VolatileMessage): string {
  return `~${nodeId}\n${except ?? ''}\n${event}\n${data}`;
}

export function isVolatile(message: string): boolean {
  return message.startsWith('~');
}

export function decodeVolatile(message: string): VolatileMessage {
  const [nodeId, except, event, data] = message.slice(1).split('\n') as [string, string, string, string];
  return { nodeId, event, data, ...(except !== '' && { except }) };
}

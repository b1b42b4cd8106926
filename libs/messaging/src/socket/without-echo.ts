/** Nest's exception frames echo the client's own data as `cause.data`; no data of a client is sent back to it. */
export function withoutEcho(text: string): string {
  if (!text.startsWith('{"event":"exception"')) return text;
  let frame: { data?: { cause?: { data?: unknown } } };
  try {
    frame = JSON.parse(text) as typeof frame;
  } catch {
    return text;
  }
  if (typeof frame.data?.cause !== 'object' || frame.data.cause === null) return text;
  delete frame.data.cause.data;
  return JSON.stringify(frame);
}

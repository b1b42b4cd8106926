import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** An HTTP response as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A request for a WebSocket that is not as it has to be. */
export interface RawUpgradeOptions {
  /** Default GET. */
  readonly method?: string;
}

/**
 * Asks for a WebSocket by hand and reads until the server ends the connection.
 * @param headers besides those that a right request has, or in their place; undefined: that one is left out
 * @throws Error when the connection is reset, or the answer is not a complete HTTP response with a `Content-Length`
 */
export async function rawUpgrade(
  port: number,
  target: string,
  headers: Readonly<Record<string, string | undefined>> = {},
  { method = 'GET' }: RawUpgradeOptions = {},
): Promise<RawResponse> {
  const lines = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const given = Object.entries(lines).filter(([, value]) => value !== undefined);
  const head = given.map(([name, value]) => `${name}: ${value}`);
  const socket = connect(port, '127.0.0.1');
  socket.write([`${method} ${target} HTTP/1.1`, ...head, '\r\n'].join('\r\n'));
  try {
    return parse(await text(socket));
  } finally {
    socket.destroy();
  }
}

function parse(response: string): RawResponse {
  const end = response.indexOf('\r\n\r\n');
  const [first = '', ...fields] = response.slice(0, end).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) \S.*$/.exec(first)?.[1];
  const headers = Object.fromEntries(
    fields.map((field) => {
      const [name = '', ...value] = field.split(': ');
      return [name.toLowerCase(), value.join(': ')] as const;
    }),
  );
  const body = response.slice(end + 4);
  if (end < 0 || status === undefined || headers['content-length'] !== String(Buffer.byteLength(body))) {
    throw new Error(`no complete HTTP response: ${JSON.stringify(response)}`);
  }
  return { status: Number(status), headers, body };
}

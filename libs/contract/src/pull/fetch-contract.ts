import type { AsyncApiDocument } from '../async-api.js';
import type { AppContract } from '../contract.js';
import { readContract } from '../read-contract.js';

/** A node's contract. */
export interface FetchedContract {
  readonly document: AsyncApiDocument;
  readonly contract: AppContract;
}

/** The contract can't be had; the message says why, and what to do. */
export class ContractUnavailable extends Error {}

const WITHIN_MS = 30_000;
/** No contract is larger, bytes. */
const MOST_BYTES = 32 * 1_024 * 1_024;
/** A header can carry these. */
const TOKEN = /^[\x20-\x7e\xa0-\xff]+$/;
const REMEDY =
  'where clients need a token, a node shows its contract to operators only: give the URL of its management port, with the token in --token-file or WSS_CONTRACT_TOKEN';

/**
 * Asks a running node for its contract.
 * @param address URL of the node, of its WebSocket, or of the document itself
 * @param token sent as `Authorization: Bearer …`; default none
 * @throws ContractUnavailable
 */
export async function fetchContract(address: string, token?: string): Promise<FetchedContract> {
  if (token !== undefined && !TOKEN.test(token))
    throw new ContractUnavailable(
      'the token has characters that can not be sent, such as line ends: give it alone, on one line',
    );
  const places = placesOf(address);
  let answer: Answer | undefined;
  for (const url of places) {
    answer = await ask(url, token);
    if (answer.status !== 404) break;
  }
  const { status, text, url } = answer!;
  if (status === 200) return parsed(text, url);
  throw new ContractUnavailable(refusal(status, places.length === 1 ? url : address, token));
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly url: string;
}

/** The document lies beside the path that was given, or at the root. */
function placesOf(address: string): string[] {
  const text = address.replace(/^ws(s?):/i, 'http$1:');
  if (!URL.canParse(text) || !/^https?:/i.test(text))
    throw new ContractUnavailable(
      `"${address}" is not the URL of a node: write it as http://localhost:3000 or wss://example.org/live`,
    );
  const url = new URL(text);
  if (url.pathname.endsWith('.json')) return [url.href];
  const folder = url.pathname.replace(/(\/(contract|metrics))?\/?$/, '/');
  return [...new Set([folder, '/'].map((path) => new URL(`${path}asyncapi.json`, url.origin).href))];
}

async function ask(url: string, token: string | undefined): Promise<Answer> {
  try {
    const response = await fetch(url, {
      headers: { Accept: 'application/json', ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    return { status: response.status, text: await textOf(response), url };
  } catch (error) {
    if (error instanceof ContractUnavailable) throw error;
    const { name, message, cause } = error as Error;
    const { code } = (cause ?? {}) as { code?: string };
    const why = name === 'TimeoutError' ? `no answer within ${WITHIN_MS / 1_000} s` : (code ?? message);
    throw new ContractUnavailable(`${url} can't be reached: ${why}`, { cause: error });
  }
}

async function textOf({ body, url }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  // Leaving the loop ends the request.
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new ContractUnavailable(`${url} answers with more than any contract has: give the URL of a wss node`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parsed(text: string, url: string): FetchedContract {
  try {
    const document = JSON.parse(text) as AsyncApiDocument;
    return { document, contract: readContract(document) };
  } catch (error) {
    throw new ContractUnavailable(`${url} is not the contract of a wss node: give the URL of one`, {
      cause: error,
    });
  }
}

function refusal(status: number, url: string, token: string | undefined): string {
  if (status === 401 || status === 403) {
    return token === undefined
      ? `${url} asks for a token (${status}): ${REMEDY}`
      : `${url} refuses the token (${status}): give the one of the management port of the node`;
  }
  if (status === 404) return `${url} has no contract (404). If it is a wss node, ${REMEDY}`;
  return `${url} answered with ${status}: try again when the node is well`;
}

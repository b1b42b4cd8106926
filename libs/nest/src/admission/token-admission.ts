import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';
import { kindOf, LogGate, stackOf, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import type { WssJwtOptions } from '../options/wss-options.js';
import { KeysUnavailable } from './published-keys.js';
import { type KeyTime, TokenRefused, TokenTooEarly, TokenVerifier } from './token-verifier.js';

const MISSING =
  'it has no token; clients send one as Authorization: Bearer, as a subprotocol or as ?access_token= (the SDK: the option token)';

const REMEDY = 'compare how tokens are made with the option auth, of the gateway JWT_…';

/** Lets in clients that present a valid token, as the user that it names. */
export class TokenAdmission extends Admission {
  private readonly logger = new Logger(TokenAdmission.name);
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly verifier: TokenVerifier;

  /** @throws Error when the key is invalid */
  constructor(options: WssJwtOptions & Partial<KeyTime>) {
    super();
    this.verifier = new TokenVerifier(options, {
      failed: (why) => this.keysFailed(why),
      fetched: () => this.faults.over('keys'),
    });
  }

  async admit(request: IncomingMessage, url: URL): Promise<Admitted> {
    const token = tokenOf(request, url);
    if (token === undefined) {
      throw new UpgradeRefusal(401, 'a token is missing', { log: MISSING, check: 'token missing' });
    }
    return this.identify(token);
  }

  override refresh(token: string): Promise<Admitted> {
    return this.identify(token);
  }

  /** Ends waits for keys. */
  close(): void {
    this.verifier.close();
  }

  private async identify(token: string): Promise<Admitted> {
    try {
      return await this.verifier.verify(token);
    } catch (error) {
      throw this.refusalOf(error);
    }
  }

  private refusalOf(error: unknown): UpgradeRefusal {
    if (error instanceof TokenRefused) {
      const { check, message } = error;
      const log = `${message}; ${REMEDY}`;
      return new UpgradeRefusal(401, 'the token was refused', { log, kind: check, check });
    }
    if (error instanceof TokenTooEarly) {
      const log = 'its token is not valid yet; compare the clocks of the node and of the issuer';
      const { retryAfterS } = error;
      return new UpgradeRefusal(503, 'the token is not valid yet; try again', {
        log,
        retryAfterS,
        check: 'not yet valid',
      });
    }
    const retryAfterS = error instanceof KeysUnavailable ? error.retryAfterS : 1;
    // Keys that can't be had were told by those who ask for them.
    if (!(error instanceof KeysUnavailable)) {
      this.faults.report(
        kindOf(error),
        `a token can't be verified, so its client gets 503; see the key: ${stackOf(error)}`,
      );
    }
    return new UpgradeRefusal(503, "tokens can't be verified now", { log: '', check: 'keys', retryAfterS });
  }

  private keysFailed(why: string): void {
    this.faults.report(
      'keys',
      `the keys of tokens can't be fetched (${why}); those at hand count for an hour, and tokens of other keys are answered 503: see the URL of the keys`,
    );
  }
}

/** Finds the token in `Authorization`, in the subprotocols, or in the URL, in this order. */
function tokenOf({ headers }: IncomingMessage, url: URL): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const after = (prefix: string): string | undefined =>
    protocols.find((name) => name.startsWith(prefix))?.slice(prefix.length);
  const coded = after(TOKEN64_PREFIX);
  const offered = after(TOKEN_PREFIX) ?? (coded && Buffer.from(coded, 'base64url').toString());
  return bearer ?? offered ?? url.searchParams.get('access_token') ?? undefined;
}

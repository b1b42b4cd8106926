import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';
import { LogGate, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import { TokenRefused, type TokenVerifier } from './token-verifier.js';

const MISSING =
  'it has no token; clients send one as Authorization: Bearer, as a subprotocol or as ?access_token= (the SDK: the option token)';

function told({ check }: TokenRefused): string {
  return `its token failed the check of ${check}; compare how tokens are made with the option auth, of the gateway JWT_…`;
}

/** Lets in clients that present a valid token, as the user that it names. */
export class TokenAdmission extends Admission {
  private readonly logger = new Logger(TokenAdmission.name);
  private readonly faults = new LogGate((line) => this.logger.error(line));

  constructor(private readonly verifier: TokenVerifier) {
    super();
  }

  async admit(request: IncomingMessage, url: URL): Promise<Admitted> {
    const token = tokenOf(request, url);
    if (token === undefined) throw new UpgradeRefusal(401, 'a token is missing', { log: MISSING });
    return this.identify(token);
  }

  override refresh(token: string): Promise<Admitted> {
    return this.identify(token);
  }

  private async identify(token: string): Promise<Admitted> {
    try {
      return await this.verifier.verify(token);
    } catch (error) {
      if (error instanceof TokenRefused)
        throw new UpgradeRefusal(401, 'the token was refused', { log: told(error) });
      this.faults.report(
        'keys',
        `tokens can't be verified, so upgrades are answered 503 (${(error as Error).message}); see the URL of the keys`,
      );
      throw new UpgradeRefusal(503, "tokens can't be verified now", { log: '' });
    }
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

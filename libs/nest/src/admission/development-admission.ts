import { randomInt } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';
import { isUserName } from '@wss/protocol';

/** `auth: 'none'`: everybody may connect, under the name in `?user=` or as a guest. */
export class DevelopmentAdmission extends Admission {
  admit(_request: IncomingMessage, url: URL): Admitted {
    const user = url.searchParams.get('user');
    const issuedAt = 'now';
    if (user === null || user === '') return { user: `guest-${randomInt(100_000, 1_000_000)}`, issuedAt };
    if (!isUserName(user) || !isText(url)) {
      throw new UpgradeRefusal(400, 'user must be 1 to 128 characters without control characters', {
        check: 'name',
      });
    }
    return { user, issuedAt };
  }

  /** Names are not proven here, so nothing can be renewed. */
  override refresh(_token: string, user: string): Admitted {
    return { user, issuedAt: 'now' };
  }
}

/** False for bytes that are not UTF-8: names that differ would become one. */
function isText({ search }: URL): boolean {
  try {
    return decodeURIComponent(search) !== undefined;
  } catch {
    return false;
  }
}

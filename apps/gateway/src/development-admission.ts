import { randomInt } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';

/** `AUTH=none`: everybody is let in, as `?user=` says or as a guest. */
@Injectable()
export class DevelopmentAdmission extends Admission {
  admit(_request: IncomingMessage, url: URL): Admitted {
    const user = url.searchParams.get('user');
    if (user === null || user === '') return { user: `guest-${randomInt(100_000, 1_000_000)}` };
    if (!/^[\x21-\x7e]{1,64}$/.test(user))
      throw new UpgradeRefusal(400, 'user must be 1 to 64 printable characters');
    return { user };
  }
}

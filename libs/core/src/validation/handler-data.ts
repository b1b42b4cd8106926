import type { Type } from '@nestjs/common';
import type { DecoratedMethod } from '../handlers/handler-explorer.js';
import { replyTypeOf } from '../handlers/reply.js';
import { requireCarried } from './json-fields.js';
import { isPrimitive, messageBodiesOf } from './message-body.js';

/**
 * Checks that JSON carries what a handler reads and what it returns, as far as their classes tell.
 * @throws Error with the handler, the class, the field and the remedy
 */
export function requireCarriedData(found: DecoratedMethod): void {
  const owner = `${found.class.name}.${found.method}`;
  for (const body of messageBodiesOf(found)) {
    if (body.kind === 'whole' && !isPrimitive(body.type)) requireCarried(body.type, 'received', owner);
  }
  const reply = replyTypeOf(found.class.prototype as object, found.method);
  if (reply && !isPrimitive(reply)) requireCarried(reply as Type<object>, 'sent', `${owner}, its reply`);
}

import type { JsonSchema } from './json-schema.js';

const LEAP = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29';
const DAY = `([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|${LEAP})`;
const HOUR = '([01][0-9]|2[0-3])';
const TIME = `${HOUR}:[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?(Z|[+-]${HOUR}:[0-5][0-9])`;

/** A date in JSON: a day, `2026-01-31`, or an instant with its offset from UTC, `2026-01-31T10:00:00Z`. */
export const DATE_SCHEMA: JsonSchema = {
  type: 'string',
  anyOf: [
    { format: 'date', pattern: `^${DAY}$` },
    { format: 'date-time', pattern: `^${DAY}T${TIME}$` },
  ],
};

const PATTERN = new RegExp(`^${DAY}(T${TIME})?$`);

/** True for a text that {@link DATE_SCHEMA} allows. */
export function isDateText(text: string): boolean {
  return PATTERN.test(text);
}

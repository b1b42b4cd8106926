import type { CommandContract, AppContract, EventContract, RoomContract } from '../contract.js';
import type { JsonSchema } from '../json-schema.js';
import type { SubsetProblem } from './difference.js';
import { subsetProblems } from './schema-subset.js';

/** One change that would break clients that rely on the committed contract. */
export interface BreakingChange {
  /** The event or document that changed, or the kind of room if a whole kind is gone. */
  readonly event: string;
  /** Kind of room that it belongs to. */
  readonly roomType?: string;
  readonly direction: 'client to server' | 'server to client';
  /** The part that changed: its data, its reply, or the value of a document. */
  readonly part: 'data' | 'reply' | 'document' | 'event' | 'room type';
  /** Path within the part, e.g. `cards[].title`; empty for the whole. */
  readonly field: string;
  /** The rule, with its committed and its present side. */
  readonly rule: string;
  /** The side that it breaks, and how. */
  readonly breaks: string;
}

/** Where a schema stands. */
type ChangePlace = Pick<BreakingChange, 'event' | 'roomType' | 'part'>;

/**
 * Finds the changes that break callers or receivers built against the committed contract. Commands that clients may
 * send must stay allowed; data that they get must stay within the committed schema. New commands, events, optional
 * fields of commands and fields of what the server sends break nobody.
 */
export function breakingChanges(committed: AppContract, present: AppContract): BreakingChange[] {
  return new Comparison(committed, present).all();
}

/** A change as one line for people. */
export function describeChange({
  event,
  roomType,
  direction,
  part,
  field,
  rule,
  breaks,
}: BreakingChange): string {
  const room = roomType === undefined ? '' : ` in ${roomType}:<key>`;
  const where = field === '' ? part : `${part} field "${field}"`;
  return `${event}${room}, ${direction}, ${where}: ${rule}: ${breaks}`;
}

const CALLERS_REFUSED = 'callers that send what was allowed would be refused';
const FIELD_DROPPED = 'callers that send it would have it dropped silently';
const RECEIVERS = 'receivers would get what they were not told of';

class Comparison {
  private readonly found: BreakingChange[] = [];

  constructor(
    private readonly committed: AppContract,
    private readonly present: AppContract,
  ) {}

  all(): BreakingChange[] {
    this.commands(this.committed.commands, this.present.commands);
    this.events(this.committed.events, this.present.events);
    for (const room of this.committed.rooms) {
      const now = this.present.rooms.find(({ type }) => type === room.type);
      if (now) this.room(room, now);
      else this.gone({ event: room.type, part: 'room type' }, 'client to server', 'joins would be refused');
    }
    return this.found;
  }

  private room(committed: RoomContract, present: RoomContract): void {
    const { type } = committed;
    this.commands(committed.commands, present.commands, type);
    this.events(committed.events, present.events, type);
    for (const { name, value } of committed.documents) {
      const place = { event: name, roomType: type, part: 'document' } as const;
      const now = present.documents.find((document) => document.name === name);
      if (now) this.toClient(place, value, now.value);
      else this.gone(place, 'server to client', 'live copies of it would stay empty');
    }
  }

  private commands(
    committed: readonly CommandContract[],
    present: readonly CommandContract[],
    roomType?: string,
  ): void {
    for (const { event, data, reply } of committed) {
      const now = present.find((command) => command.event === event);
      const place = { event, ...(roomType !== undefined && { roomType }) };
      if (!now) {
        this.gone({ ...place, part: 'event' }, 'client to server', 'callers would get "unknown_event"');
        continue;
      }
      this.toServer({ ...place, part: 'data' }, data, now.data);
      if (reply) this.toClient({ ...place, part: 'reply' }, reply, now.reply ?? {});
    }
  }

  private events(
    committed: readonly EventContract[],
    present: readonly EventContract[],
    roomType?: string,
  ): void {
    for (const { event, data, volatile } of committed) {
      const now = present.find((each) => each.event === event);
      const place = { event, ...(roomType !== undefined && { roomType }) };
      if (!now) {
        this.gone({ ...place, part: 'event' }, 'server to client', 'receivers would wait for it in vain');
        continue;
      }
      if (now.volatile && !volatile) {
        this.add({ ...place, part: 'event' }, 'server to client', {
          problem: { field: '', rule: 'reach: logged became volatile' },
          breaks: 'receivers would lose events that were kept for them',
        });
      }
      this.toClient({ ...place, part: 'data' }, data, now.data);
    }
  }

  /** Everything that was allowed must still be. */
  private toServer(place: ChangePlace, committed: JsonSchema, present: JsonSchema): void {
    const problems = subsetProblems(
      { schema: committed, schemas: this.committed.schemas },
      { schema: present, schemas: this.present.schemas },
      { smaller: 'committed', larger: 'present', refusesMore: true },
    );
    for (const problem of problems) {
      const breaks = problem.rule.startsWith('field:') ? FIELD_DROPPED : CALLERS_REFUSED;
      this.add(place, 'client to server', { problem, breaks });
    }
  }

  /** No value may come that was not announced. */
  private toClient(place: ChangePlace, committed: JsonSchema, present: JsonSchema): void {
    const problems = subsetProblems(
      { schema: present, schemas: this.present.schemas },
      { schema: committed, schemas: this.committed.schemas },
      { smaller: 'present', larger: 'committed', refusesMore: false },
    );
    for (const problem of problems) {
      const missing = /^(required|field):/.test(problem.rule);
      this.add(place, 'server to client', {
        problem,
        breaks: missing ? 'receivers that read it would miss it' : RECEIVERS,
      });
    }
  }

  private gone(place: ChangePlace, direction: BreakingChange['direction'], breaks: string): void {
    this.add(place, direction, { problem: { field: '', rule: 'removed' }, breaks });
  }

  private add(
    place: ChangePlace,
    direction: BreakingChange['direction'],
    { problem, breaks }: { readonly problem: SubsetProblem; readonly breaks: string },
  ): void {
    this.found.push({ ...place, direction, ...problem, breaks });
  }
}

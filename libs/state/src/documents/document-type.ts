import type { Type } from '@nestjs/common';
import type { ErrorDetail } from '@wss/protocol';
import { GatewayError, hasRules, instanceJudge, roomDocumentOf, toInstance } from '@wss/core';
import { cloneDeep } from './clone.js';
import { requireStorable } from './document-fields.js';
import { isLargerThan } from '../store/text-size.js';

/** Largest document, bytes of its JSON. */
const MAX_DOCUMENT_BYTES = 262_144;
/** Most details of one refusal. */
const MAX_DETAILS = 20;

/** The one key that data may not have: programs that read such JSON may take it for the object's prototype. */
const FORBIDDEN = '__proto__';

/** A document as a run finds it: the batch's copy, which others in the batch may have changed before. */
export interface DocumentState<D extends object = object> {
  /** Never changed in place: runs work on a clone. */
  readonly value: D;
  readonly json: string;
  /** The value of the JSON, if it is parsed already. */
  readonly plain?: unknown;
}

/** A document class: how its values are made, copied, checked and stored. */
export class DocumentType<D extends object> {
  /** Room type whose rooms have this document. */
  readonly roomType: string;
  /** Name of the document in its room. */
  readonly name: string;
  /** The name as JSON. */
  readonly jsonName: string;
  /** JSON of a document that was never written. */
  readonly emptyJson: string;

  private readonly broken: (value: D) => readonly ErrorDetail[];

  /**
   * @throws Error when the class has no `@RoomDocument`, its values do not survive JSON, or a new instance breaks its
   *   own rules.
   */
  constructor(readonly type: Type<D>) {
    const { type: roomType, name } = roomDocumentOf(type);
    this.roomType = roomType;
    this.name = name;
    this.jsonName = JSON.stringify(name);
    requireStorable(type);
    this.broken = hasRules(type) ? instanceJudge(type) : () => [];
    this.emptyJson = JSON.stringify(this.create());
    const violations = this.broken(this.create());
    if (violations.length > 0) {
      const { path, message } = violations[0]!;
      throw new Error(
        `a new ${type.name} breaks its own rules (${path}: ${message}); give every field a default`,
      );
    }
  }

  /** The value of a document that was never written. */
  create(): D {
    return cloneDeep(new this.type());
  }

  parse(json: string): D {
    return toInstance(this.type, JSON.parse(json));
  }

  clone(value: D): D {
    return cloneDeep(value);
  }

  /**
   * The JSON to store. A rule that the stored document breaks already is no reason to refuse a change: another release wrote
   * it by other rules, and its room must not stay as it is forever.
   * @throws GatewayError `invalid` when the value breaks the rules of its class or has a key `__proto__`, `too_large`
   *   over {@link MAX_DOCUMENT_BYTES}.
   */
  toJson(value: D, stored?: D): string {
    const details = this.brokenAnew(value, stored);
    if (details.length > 0) {
      throw new GatewayError('invalid', `the ${this.name} would break its rules`, {
        details: details.slice(0, MAX_DETAILS),
      });
    }
    const json = JSON.stringify(value);
    const forbidden = json.includes(FORBIDDEN) ? pathOfForbidden(value) : undefined;
    if (forbidden !== undefined) {
      throw new GatewayError('invalid', `the ${this.name} would have a forbidden key`, {
        details: [{ path: forbidden, message: `must not be named ${FORBIDDEN}` }],
      });
    }
    if (isLargerThan(json, MAX_DOCUMENT_BYTES)) {
      throw new GatewayError(
        'too_large',
        `the ${this.name} would be larger than ${MAX_DOCUMENT_BYTES} bytes`,
      );
    }
    return json;
  }

  private brokenAnew(value: D, stored: D | undefined): readonly ErrorDetail[] {
    const details = this.broken(value);
    if (details.length === 0 || stored === undefined) return details;
    const known = new Map<string, number>();
    for (const detail of this.broken(stored)) {
      const key = breach(stored, detail);
      known.set(key, (known.get(key) ?? 0) + 1);
    }
    return details.filter((detail) => {
      const key = breach(value, detail);
      const left = known.get(key) ?? 0;
      known.set(key, left - 1);
      return left <= 0;
    });
  }
}

/** A rule, and the value that breaks it, wherever in its list it stands. */
function breach(value: unknown, { path = '', message }: ErrorDetail): string {
  const keys = path.split('.');
  const broken = keys.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown> | undefined)?.[key],
    value,
  );
  return JSON.stringify([keys.map((key) => (/^[0-9]+$/.test(key) ? 0 : key)), message, broken]);
}

/** Returns the path at which a value has the forbidden key. */
function pathOfForbidden(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, field] of Object.entries(value)) {
    if (key === FORBIDDEN) return key;
    const path = pathOfForbidden(field);
    if (path !== undefined) return `${key}.${path}`;
  }
  return undefined;
}

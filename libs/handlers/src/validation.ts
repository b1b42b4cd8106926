import { plainToInstance } from 'class-transformer';
import {
  getMetadataStorage,
  validateSync,
  type ValidationError,
  type ValidatorOptions,
} from 'class-validator';
import type { Type } from '@nestjs/common';
import type { ErrorDetail } from '@wss/protocol';
import { GatewayError } from './gateway-error.js';
import type { BodyReader } from './params-factories.js';

/** Which class-validator rules an instance breaks, with the path and the rule of each; never a value. */
export function violationsOf(instance: object, options: ValidatorOptions = {}): ErrorDetail[] {
  const errors = validateSync(instance, { forbidUnknownValues: false, ...options });
  return errors.length === 0 ? [] : flatten(errors, '');
}

function flatten(errors: readonly ValidationError[], parent: string): ErrorDetail[] {
  return errors.flatMap(({ property, constraints, children }) => {
    const path = parent === '' ? property : `${parent}.${property}`;
    const own = Object.values(constraints ?? {}).map((message) => ({ path, message }));
    return children ? [...own, ...flatten(children, path)] : own;
  });
}

/** Makes plain data an instance of a DTO class; a class without rules gets none of the data. */
export function toInstance<T extends object>(type: Type<T>, data: unknown): T {
  return plainToInstance(type, data, { enableImplicitConversion: false });
}

/**
 * Reads a body as a DTO: unknown properties are dropped silently, data that is absent counts as `{}`.
 * The reader throws GatewayError `invalid` with path and rule of everything that is wrong.
 */
export function dtoReader(type: Type<object>): BodyReader {
  return (data = {}) => {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw invalid([{ path: '', message: 'the data must be an object' }]);
    }
    const instance = toInstance(type, data);
    const violations = violationsOf(instance, { whitelist: true });
    if (violations.length > 0) throw invalid(violations);
    return instance;
  };
}

/** Whether a class has class-validator rules, its own or inherited ones. */
export function hasRules(type: Type<object>): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(type, '', false, false).length > 0;
}

function invalid(details: readonly ErrorDetail[]): GatewayError {
  return new GatewayError('invalid', 'the data breaks the rules of the event', { details });
}

import { HttpException, Logger, type Type } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import type { ValidationError, ValidatorOptions } from 'class-validator';
import type { ErrorDetail } from '@wss/protocol';
import { ClassReader } from './class-reader.js';
import { brokenRules } from './class-rules.js';
import { GatewayError } from '../errors/gateway-error.js';
import { ClassChecks } from '../schemas/class-check.js';
import { rulesOf } from '../schemas/class-shape.js';
import type { BodyReader } from './params-factories.js';

/** Most details of one refusal: a short list of wrong values must not cause a long answer. */
const MAX_DETAILS = 20;

/** Lists the class-validator rules that an instance breaks, with the path and the rule of each; never a value. */
export function violationsOf(instance: object, options: ValidatorOptions = {}): ErrorDetail[] {
  const errors = brokenRules(instance, { forbidUnknownValues: false, ...options });
  return errors.length === 0 ? [] : flatten(errors, '');
}

function flatten(errors: readonly ValidationError[], parent: string): ErrorDetail[] {
  return errors.flatMap(({ property, constraints, children }) => {
    const path = parent === '' ? property : `${parent}.${property}`;
    const own = Object.values(constraints ?? {}).map((message) => ({ path, message }));
    return children ? [...own, ...flatten(children, path)] : own;
  });
}

/**
 * Returns a function that lists all that an instance breaks: the rules of its class, and what the published schema says
 * beyond them. The class is looked at once.
 */
export function instanceJudge(type: Type<object>): (instance: object) => readonly ErrorDetail[] {
  const check = ClassChecks.of(type, 'sent');
  return (instance) => {
    const violations = violationsOf(instance);
    return [...violations, ...unnamed(check(instance), violations)];
  };
}

/**
 * Turns plain data into an instance of a class, with all of its fields. Objects without a class inherit nothing, so
 * they are maps in which every key is data.
 */
export function toInstance<T extends object>(type: Type<T>, data: unknown): T {
  return new ClassReader(true).read(type, data as object);
}

/**
 * Reads a body as a DTO: unknown properties are dropped silently and never inspected; absent data counts as `{}`. The
 * reader throws GatewayError `invalid` with path and rule of every fault.
 */
export function dtoReader(type: Type<object>): BodyReader {
  const check = ClassChecks.of(type, 'received');
  const reportOnce = onceReporter(type);
  return (data = {}) => {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw invalid([{ path: '', message: 'the data must be an object' }]);
    }
    const reader = new ClassReader(false);
    const problems = check(data);
    try {
      const instance = reader.read(type, data);
      // The rules say best what is wrong; the check knows what they do not ask for.
      const violations = violationsOf(instance, { whitelist: true });
      if (violations.length + problems.length + reader.problems.length === 0) return instance;
      const details = [...violations, ...unnamed([...problems, ...reader.problems], violations)];
      throw invalid(details.slice(0, MAX_DETAILS));
    } catch (error) {
      if (isRefusal(error)) throw error;
      if (problems.length > 0) throw invalid(problems);
      reportOnce(error);
      throw invalid([{ path: reader.place, message: 'can not be read' }]);
    }
  };
}

/** Problems of which no other detail names the place. */
function unnamed(problems: readonly ErrorDetail[], others: readonly ErrorDetail[]): readonly ErrorDetail[] {
  if (problems.length === 0) return problems;
  const places = new Set(others.map(({ path }) => path));
  return problems.filter(({ path }) => !places.has(path));
}

/** True if a decorator's function threw this to refuse a value; everything else is a failure of the function. */
function isRefusal(error: unknown): boolean {
  return error instanceof GatewayError || error instanceof HttpException || error instanceof WsException;
}

/** Reports a decorator's function that fails on some value to the developer, once, since clients choose the values. */
function onceReporter(type: Type<object>): (error: unknown) => void {
  let reported = false;
  return (error) => {
    if (reported) return;
    reported = true;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    new Logger('Validation').warn(
      `a decorator of ${type.name} throws on some data, which is refused: ${text}`,
    );
  };
}

/** True if a class has class-validator rules, its own or inherited ones. */
export function hasRules(type: Type<object>): boolean {
  return rulesOf(type).size > 0;
}

function invalid(details: readonly ErrorDetail[]): GatewayError {
  return new GatewayError('invalid', 'the data breaks the rules of the event', { details });
}

import { HttpException, Logger, type Type } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import type { ErrorDetail } from '@wss/protocol';
import { ClassReader } from './class-reader.js';
import { CompiledRules, judgeInstance } from './compiled-rules.js';
import { GatewayError } from '../errors/gateway-error.js';
import { ClassChecks } from '../schemas/class-check.js';
import { rulesOf } from '../schemas/class-shape.js';
import { typedClasses } from './json-fields.js';
import type { BodyReader } from './params-factories.js';
import type { Interest } from './class-rules.js';
import type { BrokenProperty } from './property-rules.js';

/** Most details of one refusal: a short list of wrong values must not cause a long answer. */
const MAX_DETAILS = 20;

/** Judges an instance; `whitelist` takes properties without rules away. */
type Judge = (instance: object, whitelist: boolean, interest: Interest) => readonly BrokenProperty[];

/** The rules that an instance breaks, with the path and the rule of each; never a value. */
function violations(broken: readonly BrokenProperty[]): readonly ErrorDetail[] {
  return broken.length === 0 ? NONE : flatten(broken, '');
}

const NONE: readonly ErrorDetail[] = [];

function flatten(errors: readonly BrokenProperty[], parent: string): ErrorDetail[] {
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
  compile(type);
  return (instance) => {
    const broken = violations(judgeInstance(instance, false));
    const problems = check(instance);
    return problems.length === 0 ? broken : [...broken, ...unnamed(problems, broken)];
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
 * @param judge asks the rules; default: as they were compiled
 */
export function dtoReader(type: Type<object>, judge: Judge = judgeInstance): BodyReader {
  compile(type);
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
      const broken = violations(judge(instance, true, { left: MAX_DETAILS }));
      if (broken.length + problems.length + reader.problems.length === 0) return instance;
      const details = [...broken, ...unnamed([...problems, ...reader.problems], broken)];
      throw invalid(details.slice(0, MAX_DETAILS));
    } catch (error) {
      if (isRefusal(error)) throw error;
      if (problems.length > 0) throw invalid(problems);
      reportOnce(error);
      throw invalid([{ path: reader.place, message: 'can not be read' }]);
    }
  };
}

/** Compiles the rules of a class and of all that `@Type` names in it, at boot. */
function compile(type: Type<object>, known = new Set<Type<object>>()): void {
  if (known.has(type)) return;
  known.add(type);
  CompiledRules.of(type);
  for (const [, nested] of typedClasses(type)) compile(nested, known);
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

/** The part of class-validator that judges one value; the package exports only functions around it. */
declare module 'class-validator/cjs/validation/ValidationExecutor.js' {
  import type { ValidationError, ValidatorOptions } from 'class-validator';

  export class ValidationExecutor {
    constructor(validator: unknown, options: ValidatorOptions);
    metadataStorage: unknown;
    ignoreAsyncValidations: boolean;
    execute(value: object, schema: string, errors: ValidationError[]): void;
    nestedValidations(value: unknown, metadatas: readonly object[], error: ValidationError): void;
    /** @returns the name of the rule and the message that tells of it */
    createValidationError(
      object: object,
      value: unknown,
      metadata: unknown,
      constraint?: unknown,
    ): [name: string, message: string];
    stripEmptyErrors(errors: ValidationError[]): ValidationError[];
  }
}

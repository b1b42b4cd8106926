/** The part of class-validator that judges one value; the package exports only functions around it. */
declare module 'class-validator/cjs/validation/ValidationExecutor.js' {
  import type { ValidationError, ValidatorOptions } from 'class-validator';

  export class ValidationExecutor {
    constructor(validator: unknown, options: ValidatorOptions);
    metadataStorage: unknown;
    ignoreAsyncValidations: boolean;
    execute(value: object, schema: string, errors: ValidationError[]): void;
    nestedValidations(value: unknown, metadatas: unknown, error: ValidationError): void;
    stripEmptyErrors(errors: ValidationError[]): ValidationError[];
  }
}

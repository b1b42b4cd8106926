/** class-transformer keeps the metadata of its decorators here, and does not export it. */
declare module 'class-transformer/cjs/storage.js' {
  import type { TransformationType } from 'class-transformer';

  /** The metadata of `@Type` for a property. */
  export interface TypeMetadata {
    readonly reflectedType: unknown;
    readonly typeFunction: (options?: unknown) => unknown;
    readonly options?: {
      readonly keepDiscriminatorProperty?: boolean;
      readonly discriminator?: {
        readonly property?: string;
        readonly subTypes?: readonly { readonly name: string; readonly value: unknown }[];
      };
    };
  }

  /** The metadata of `@Transform` for a property. */
  export interface TransformMetadata {
    readonly transformFn: (params: unknown) => unknown;
    readonly options?: { readonly groups?: readonly string[] };
  }

  /** The metadata of `@Expose` for a property. */
  export interface ExposeMetadata {
    readonly options?: { readonly name?: string; readonly groups?: readonly string[] };
  }

  export const defaultMetadataStorage: {
    findTypeMetadata(target: unknown, property: string): TypeMetadata | undefined;
    findTransformMetadatas(
      target: unknown,
      property: string,
      type: TransformationType,
    ): readonly TransformMetadata[];
    findExposeMetadata(target: unknown, property: string): ExposeMetadata | undefined;
    getExposedProperties(target: unknown, type: TransformationType): readonly string[];
    getExcludedProperties(target: unknown, type: TransformationType): readonly string[];
    getStrategy(target: unknown): 'none' | 'exposeAll' | 'excludeAll';
  };
}

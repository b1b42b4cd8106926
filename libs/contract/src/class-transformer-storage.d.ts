/** class-transformer keeps what `@Type` says here; it exports no way to ask for it. */
declare module 'class-transformer/cjs/storage.js' {
  export const defaultMetadataStorage: {
    findTypeMetadata(
      target: unknown,
      property: string,
    ): { readonly typeFunction: (options?: unknown) => unknown } | undefined;
  };
}

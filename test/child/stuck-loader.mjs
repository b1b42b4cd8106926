import { register } from 'node:module';

/** Makes a process's first import of a package hang, once it has said so: modules take long to load. */
const hooks = `
  import { writeSync } from 'node:fs';
  export async function resolve(specifier, context, next) {
    if (!/^[a-z@]/.test(specifier) || specifier.startsWith('node:') || specifier.startsWith('file:'))
      return next(specifier, context);
    writeSync(1, 'loading ' + specifier + '\\n');
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

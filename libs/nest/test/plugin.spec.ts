import { describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const require = createRequire(import.meta.url);
const plugin = require('../plugin/index.cjs') as { before: () => ts.TransformerFactory<ts.SourceFile> };

interface Commented {
  readonly _WSS_COMMENTS?: () => { readonly text?: string; readonly fields: Record<string, string> };
}

/** Compiles as `nest build` does, runs the module, and returns the comments of its classes. */
function commentsIn(text: string): Record<string, unknown> {
  const { outputText, diagnostics } = ts.transpileModule(text, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2023,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
    transformers: { before: [plugin.before()] },
    fileName: fileURLToPath(new URL('messages.ts', import.meta.url)),
    reportDiagnostics: true,
  });
  expect(diagnostics).toEqual([]);
  const exports: Record<string, Commented> = {};
  new Function('exports', 'require', outputText)(exports, require);
  return Object.fromEntries(
    Object.entries(exports).map(([name, type]) => [
      name,
      Object.hasOwn(type, '_WSS_COMMENTS') ? type._WSS_COMMENTS!() : undefined,
    ]),
  );
}

describe('the plugin of the Nest CLI', () => {
  it('keeps the doc comments of classes and their fields', () => {
    const found = commentsIn(`
import { IsInt, IsString } from 'class-validator';
/** Not this one. */

/**
 * A vote, see {@link Voted} and {@link Voted | the event}.
 *
 * It counts once.
 * @deprecated never
 */
export class Vote {
  /** The option's id; "quotes", \\\`ticks\\\` and \${dollars}. */
  @IsString() option!: string;
  // No doc comment.
  @IsInt() weight!: number;
  /** With a quoted name. */
  'other-name'?: string;
  /** As in data that comes from outside. */
  ['__proto__']?: string;
}
/** Only the class. */
export class Voted extends Vote {}
export class Plain { @IsString() text!: string }
`);
    expect(found).toEqual({
      Vote: {
        text: 'A vote, see Voted and the event.\n\nIt counts once.',
        fields: {
          option: 'The option\'s id; "quotes", \\`ticks\\` and ${dollars}.',
          'other-name': 'With a quoted name.',
        },
      },
      Voted: { text: 'Only the class.', fields: {} },
      Plain: undefined,
    });
  });

  it('leaves out what is internal, and classes that are no data', () => {
    const found = commentsIn(`
const Injectable = () => () => undefined;
/** For us. @internal */
export class Hidden { /** A field. */ text!: string }
export class Partly {
  /** @internal the fraud score */ score!: number;
  /** A secret. */ private key?: string;
  /** Shared. */ static all: string[] = [];
  /** A method. */ go(): void {}
  /** Seen. */ text!: string;
}
/** Does things. */
@Injectable() export class Service { /** State. */ state!: string }
`);
    expect(found).toEqual({ Hidden: undefined, Partly: { fields: { text: 'Seen.' } }, Service: undefined });
  });
});

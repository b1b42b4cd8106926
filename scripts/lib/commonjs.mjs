import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { build, transform } from 'esbuild';
import { replaceImports, withoutFolders } from './nest-modules.mjs';

/** The one dependency that has no CommonJS build: it moves in. */
const BUNDLED = 'jose';
const VENDOR = `vendor/${BUNDLED}.js`;

/**
 * Turns ES modules into CommonJS modules, file by file: classes stay the same ones in all subpaths of the package.
 * @param modules text by path: `.js` and `.js.map`
 * @returns the same paths, and those of the dependency that moves in
 */
export async function toCommonJs(modules) {
  const scripts = [...modules].filter(([path]) => path.endsWith('.js'));
  const made = await Promise.all(
    scripts.map(async ([path, text]) => {
      const { code, map } = await convert(path, text, modules.get(`${path}.map`));
      const named = `${code}//# sourceMappingURL=${posix.basename(path)}.map\n`;
      return [
        [path, named],
        [`${path}.map`, withoutFolders(map)],
      ];
    }),
  );
  return new Map([...made.flat(), ...(await vendor(scripts))]);
}

/** Dynamic imports become calls of `require`, which Jest can answer without Node's flag for modules. */
function convert(path, text, map) {
  const vendorFrom = posix.relative(posix.dirname(path), VENDOR);
  const linked = replaceImports(text, (name) => (name === BUNDLED ? vendorFrom : name));
  const origin = map ? inline(map) : '';
  const options = {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__filename' },
    // Nest shows the names of classes in its log and in its errors.
    keepNames: true,
  };
  // The ending makes a default import mean what it means in Node's ES modules.
  const sourcefile = path.replace(/\.js$/, '.mjs');
  return transform(`${withoutMapName(linked)}${origin}`, { ...options, sourcefile, sourcemap: 'external' });
}

function inline(map) {
  return `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}\n`;
}

function withoutMapName(text) {
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}

/** The used part of the dependency as one file, with its license. */
async function vendor(scripts) {
  const pattern = new RegExp(`import \\{([^}]*)\\} from '${BUNDLED}'`, 'g');
  const names = scripts.flatMap(([, text]) =>
    [...text.matchAll(pattern)].flatMap(([, list]) =>
      list.split(',').map((name) => name.trim().split(' as ')[0]),
    ),
  );
  const used = [...new Set(names)].filter(Boolean);
  if (used.length === 0) return [];
  const { outputFiles } = await build({
    stdin: { contents: `export { ${used.join(', ')} } from '${BUNDLED}';`, resolveDir: '.' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
  });
  const license = readFileSync(`node_modules/${BUNDLED}/LICENSE.md`, 'utf8');
  return [
    [VENDOR, outputFiles[0].text],
    [`vendor/${BUNDLED}.LICENSE.md`, license],
  ];
}

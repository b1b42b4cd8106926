import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';

/** The pages that a node serves: the demo, and the contract. */
const DEMO = 'apps/gateway/src/page/browser/page.css';
const CONTRACT = 'libs/contract/src/page/page-style.ts';

/** The variables of a style's two color schemes: the light one comes first. */
function palettesOf(path: string): Record<string, string>[] {
  const text = readFileSync(path, 'utf8');
  const blocks = [...text.matchAll(/:root\s*\{([^}]*)\}/g)].map(([, block]) => block!);
  return blocks.map((block) =>
    Object.fromEntries(
      [...block.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name!, value!]),
    ),
  );
}

describe('the pages of a node', () => {
  it('have one palette, light and dark', () => {
    const demo = palettesOf(DEMO);
    expect(demo).toHaveLength(2);
    expect(Object.keys(demo[0]!).length).toBeGreaterThan(10);
    expect(palettesOf(CONTRACT)).toEqual(demo);
  });
});

import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { Ajv } from 'ajv';
import type { AppContract } from '../src/contract.js';
import { toPage } from '../src/page/contract-page.js';
import { exampleOf } from '../src/page/example.js';
import { Chance } from './random.js';
import { randomSchemas } from './random-schemas.js';

const HOSTILE = `</script><script>alert(1)</script>" onload='alert(2)' <img src=x onerror=alert(3)>`;
const hostile: AppContract = {
  commands: [
    { event: `do.${HOSTILE}`, data: { $ref: `#/components/schemas/${HOSTILE}` }, reply: { enum: [HOSTILE] } },
  ],
  events: [{ event: HOSTILE, data: { const: HOSTILE }, volatile: true }],
  rooms: [{ type: 'poll', commands: [], events: [], documents: [{ name: HOSTILE, value: { type: 'null' } }] }],
  schemas: {
    [HOSTILE]: {
      type: 'object',
      description: HOSTILE,
      properties: { [HOSTILE]: { type: 'string', pattern: HOSTILE, description: HOSTILE } },
    },
  },
};

describe('the page of a contract', () => {
  it.each([undefined, `/live"${HOSTILE}`])('shows hostile names as text: %s', (tryAt) => {
    const { html, policy } = toPage(hostile, { title: HOSTILE, ...(tryAt !== undefined && { tryAt }) });
    expect(html.match(/<script>/g)).toHaveLength(1);
    expect(html).not.toContain('<img');
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(html.includes('<form')).toBe(tryAt !== undefined);
    for (const [tag, source] of [['script', 'script-src'], ['style', 'style-src']] as const) {
      const [, text] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(html)!;
      const digest = createHash('sha256').update(text!).digest('base64');
      expect(policy).toContain(`${source} 'sha256-${digest}'`);
    }
    expect(policy).toContain(tryAt === undefined ? "connect-src 'none'" : "connect-src 'self'");
  });

  const seed = Number(process.env['EXAMPLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(`has examples that the schemas allow (seed ${seed})`, () => {
    for (let index = 0; index < 15; index++) {
      const { root, schemas } = randomSchemas(new Chance(seed + index));
      // Patterns are not solved.
      const text = JSON.stringify({ ...root, components: { schemas } }).replace(/"pattern":"[^"]*"/g, '"minLength":1');
      const plain = JSON.parse(text) as typeof root & { components: { schemas: typeof schemas } };
      const value = exampleOf(plain, plain.components.schemas);
      const validate = new Ajv({ strict: false }).compile(plain);
      if (!validate(value)) throw new Error(JSON.stringify({ index, value, errors: validate.errors, plain }));
    }
  });
});

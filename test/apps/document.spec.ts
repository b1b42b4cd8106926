import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '@wss/testing';
import { Document } from './document.js';

const TEXT = `# Title

## One

\`\`\`sh
# a comment, not a section
npm install
\`\`\`

\`\`\`ts
// src/main.ts
const one = 1;
\`\`\`

## Two

\`\`\`ts
const part = 'of a file';
\`\`\`

\`\`\`ts
// src/a.ts (new)
const two = 2;
\`\`\`

\`\`\`ts
// src/a.ts
const three = 3;
\`\`\`
`;

describe('a document', () => {
  let folder: TemporaryFolder;
  let document: Document;
  beforeAll(() => {
    folder = new TemporaryFolder('document');
    const path = join(folder.path, 'page.md');
    writeFileSync(path, TEXT);
    document = new Document(path);
  });
  afterAll(() => folder.remove());

  it('gives what a reader copies, by its section and its file', () => {
    expect(document.only('One', 'sh').text).toBe('# a comment, not a section\nnpm install\n');
    expect(document.only('One', 'src/main.ts').text).toBe('// src/main.ts\nconst one = 1;\n');
    expect(document.files('Two').map(({ text }) => text)).toEqual([
      '// src/a.ts (new)\nconst two = 2;\n',
      '// src/a.ts\nconst three = 3;\n',
    ]);
    expect(document.files('One').map(({ file }) => file)).toEqual(['src/main.ts']);
  });

  it('refuses a block that is not there, and one of several', () => {
    expect(() => document.only('Two', 'sh')).toThrow('has 0 blocks "sh" in its section "Two"');
    expect(() => document.only('Two', 'src/a.ts')).toThrow('has 2 blocks "src/a.ts"');
  });
});

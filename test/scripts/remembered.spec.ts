import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Remembered = (
  name: string,
  texts: readonly (string | Buffer)[],
  make: () => unknown,
) => Promise<unknown>;

const root = fileURLToPath(new URL('../..', import.meta.url));
const { remembered } = (await import(pathToFileURL(`${root}scripts/lib/remembered.mjs`).href)) as {
  remembered: Remembered;
};

describe('what was made of texts', () => {
  const name = `test-${randomUUID()}`;
  const file = `${root}build/.remembered/${name}.json`;
  let makes = 0;
  const make = (texts: readonly (string | Buffer)[]): Promise<unknown> =>
    remembered(name, texts, () => ({ makes: ++makes }));
  afterEach(() => {
    rmSync(file, { force: true });
    makes = 0;
  });

  it('is made once of the same texts, and anew of others, where only their ends lie elsewhere too', async () => {
    for (const texts of [['ab', 'c'], ['a', 'bc'], ['abc'], ['abc', ''], ['ab', 'd'], []]) {
      const before = makes;
      expect(await make(texts)).toEqual({ makes: before + 1 });
      expect(await make(texts.map((text) => Buffer.from(text)))).toEqual({ makes: before + 1 });
    }
  });

  it('is made anew when its file was broken', async () => {
    for (const text of ['', '{"digest":', '5', 'null', '{"digest":"0","value":9}']) {
      const first = await make(['a']);
      writeFileSync(file, text);
      expect(await make(['a'])).not.toEqual(first);
    }
  });

  it('is not kept when making it fails', async () => {
    await expect(
      remembered(name, ['a'], () => {
        throw new Error('it does not compile');
      }),
    ).rejects.toThrow('it does not compile');
    expect(await make(['a'])).toEqual({ makes: 1 });
  });
});

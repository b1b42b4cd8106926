/** Letters of names, those that text has most of first. */
const LETTERS = [...'etsirnaohcludfpmgvwbykxjqzTESIRNAOHCLUDFPMGVWBYKXJQZ_$'];
/** How many changes of names are tried. */
const TRIES = 24_000;
const MODULUS = 2 ** 31 - 1;

/** A name that stands for a property until it has its own; no other text looks like it. */
export const placeholder = (index) => `__${index}__`;

/**
 * Gives properties names of one letter. Properties that no value has both of may share a name, and which they share
 * decides how well the text compresses; so names are changed for as long as that makes it smaller.
 *
 * @param code a program in which placeholders stand for the properties
 * @param neighbours by property, the most used first, names that must differ from its own
 * @param weigh the weight of a program
 */
export function withShortNames(code, neighbours, weigh) {
  const properties = [...neighbours.keys()];
  const indexes = new Map(properties.map((property, index) => [property, index]));
  const beside = properties.map((property) => neighbours.get(property).map((one) => indexes.get(one) ?? one));
  const parts = code.split(/__(\d+)__/);
  const names = [];
  const nameOf = (one) => (typeof one === 'number' ? names[one] : one);
  const isFree = (index, name) => !beside[index].some((one) => one !== index && nameOf(one) === name);
  const written = () => parts.map((part, at) => (at % 2 ? names[part] : part)).join('');
  for (const index of properties.keys()) {
    names[index] = LETTERS.find((letter) => isFree(index, letter));
    if (!names[index]) throw new Error(`too many properties beside ${properties[index]}`);
  }
  let least = weigh(written());
  for (const { index, name } of changes(names.length)) {
    const old = names[index];
    // Neighbours that have the name take the old one.
    const others = beside[index].filter((one) => nameOf(one) === name);
    const changed = [index, ...others];
    if (others.some((one) => typeof one !== 'number')) continue;
    names[index] = name;
    for (const other of others) names[other] = old;
    const weight = changed.every((one) => isFree(one, names[one])) ? weigh(written()) : Infinity;
    if (weight <= least) least = weight;
    else {
      for (const other of others) names[other] = name;
      names[index] = old;
    }
  }
  return written();
}

/** Changes that look random, and are the same in every build. Usual letters are tried more often. */
function* changes(count) {
  let state = 1;
  const noise = () => (state = (state * 48_271) % MODULUS) / MODULUS;
  for (let i = 0; i < TRIES; i++) {
    const index = Math.floor(noise() * count);
    yield { index, name: LETTERS[Math.floor(noise() * noise() * LETTERS.length)] };
  }
}

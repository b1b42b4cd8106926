/** Longest name that is compared; longer ones are near nothing. */
const LONGEST = 128;
/** Most declared names that one name is compared with. */
const MOST_COMPARED = 1_000;
/** Most names that are suggested. */
const MOST_NEAR = 3;

/**
 * The declared names that are nearest to a name and near it, at most three. Case and separators do not count. The
 * cost is bounded, whatever the name.
 */
export function nearNames(name: string, declared: Iterable<string>): string[] {
  if (name.length > LONGEST) return [];
  const wanted = bare(name);
  const most = Math.min(3, Math.ceil(wanted.length / 4));
  const near: { readonly known: string; readonly distance: number }[] = [];
  let compared = 0;
  for (const known of declared) {
    if (compared++ === MOST_COMPARED) break;
    const distance = distanceOf(wanted, bare(known), most);
    if (distance <= most) near.push({ known, distance });
  }
  const least = Math.min(...near.map(({ distance }) => distance));
  const nearest = near.filter(({ distance }) => distance === least).map(({ known }) => known);
  return nearest.sort().slice(0, MOST_NEAR);
}

/** A question with the nearest declared names, to be put behind the message of an error; empty if there are none. */
export function didYouMean(name: string, declared: Iterable<string>): string {
  const near = nearNames(name, declared);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}

function bare(name: string): string {
  return name
    .slice(0, LONGEST)
    .toLowerCase()
    .replace(/[^a-z\d$]/g, '');
}

/** The number of characters to insert, remove, replace, or swap with the next one; more than `most` is not told apart. */
function distanceOf(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    if (Math.min(...row) > most) return Infinity;
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

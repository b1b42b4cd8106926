/**
 * Finds the costs whose sums are nearest to what was measured, by relative error; none is below zero.
 * @param samples each `{ parts: [how often each cost occurs], total }`
 * @returns the costs, in the order of the parts
 */
export function fit(samples) {
  let used = samples[0].parts.map((_part, i) => i);
  for (;;) {
    const found = solve(samples, used);
    const lowest = found.indexOf(Math.min(...found));
    if (!(found[lowest] < 0)) return samples[0].parts.map((_part, i) => found[used.indexOf(i)] ?? 0);
    used = used.filter((_part, i) => i !== lowest);
  }
}

/** The largest relative error of costs against what was measured. */
export function worstError(samples, costs) {
  return Math.max(
    ...samples.map(({ parts, total }) => {
      const sum = parts.reduce((all, count, i) => all + count * costs[i], 0);
      return Math.abs(sum / total - 1);
    }),
  );
}

/** Least squares by the normal equations, each sample divided by its total. */
function solve(samples, used) {
  const rows = samples.map(({ parts, total }) => used.map((i) => parts[i] / total));
  const matrix = used.map((_i, a) => [
    ...used.map((_j, b) => rows.reduce((sum, row) => sum + row[a] * row[b], 0)),
    rows.reduce((sum, row) => sum + row[a], 0),
  ]);
  for (let pivot = 0; pivot < used.length; pivot++) {
    const best = matrix.slice(pivot).reduce((most, row) => Math.max(most, Math.abs(row[pivot])), 0);
    const at = matrix.findIndex((row, i) => i >= pivot && Math.abs(row[pivot]) === best);
    [matrix[pivot], matrix[at]] = [matrix[at], matrix[pivot]];
    if (best === 0) throw new Error('the points do not tell these costs apart');
    for (const [i, row] of matrix.entries()) {
      if (i === pivot) continue;
      const factor = row[pivot] / matrix[pivot][pivot];
      for (let k = pivot; k < row.length; k++) row[k] -= factor * matrix[pivot][k];
    }
  }
  return matrix.map((row, i) => row[used.length] / row[i]);
}

/** The index of a user in a list ordered by UTF-8 bytes, as Redis sorts, or the index at which the user would be. */
export function indexOfUser(users: readonly string[], user: string): number {
  const bytes = Buffer.from(user);
  let low = 0;
  let high = users.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.compare(Buffer.from(users[middle]!), bytes) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

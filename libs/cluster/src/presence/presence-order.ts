/** Where a user is, or would be, in a list that is in the order of UTF-8 bytes, as Redis sorts. */
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

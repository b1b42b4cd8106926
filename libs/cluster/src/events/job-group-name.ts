const GROUP = /^[A-Za-z0-9_.-]{1,64}$/;

/** True for the name of a group: 1 to 64 characters of `A-Z a-z 0-9 _ . -`. */
export function isGroup(name: unknown): name is string {
  return typeof name === 'string' && GROUP.test(name);
}

/** @throws RangeError on a name that is not one of a group */
export function checkGroup(group: string): void {
  if (!isGroup(group)) throw new RangeError('a group is 1 to 64 characters of A-Z a-z 0-9 _ . -');
}

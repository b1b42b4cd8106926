const GROUP = /^[A-Za-z0-9_.-]{1,64}$/;

/** @throws RangeError on a name that is not 1 to 64 characters of `A-Z a-z 0-9 _ . -` */
export function checkGroup(group: string): void {
  if (!GROUP.test(group)) throw new RangeError('a group is 1 to 64 characters of A-Z a-z 0-9 _ . -');
}

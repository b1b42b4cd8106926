/** AsyncAPI allows letters, digits, ".", "-" and "_" in the names of components. */
export function legal(name: string): string {
  return name.replace(/[^A-Za-z0-9.-]/g, (char) => `_${char.codePointAt(0)!.toString(16)}`);
}

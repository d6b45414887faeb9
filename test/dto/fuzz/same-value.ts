/** Deep equality of data, with prototypes, hidden properties, the order of Maps and Sets, and invalid dates. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  // The mutators of these are replaced when they are frozen.
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof Map || a instanceof Set) return isSameValue([...a], [...(b as Iterable<unknown>)]);
  const names = Reflect.ownKeys(a);
  return (
    names.length === Reflect.ownKeys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameValue(Reflect.get(a, name), Reflect.get(b, name)))
  );
}

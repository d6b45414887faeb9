import { hasMask, hasNewSecret, isEqual, isObject, objectOf, propertyOf } from './json-values.js';
import { propertyPath } from './property-path.js';

/**
 * Lists the properties that differ between a document as it was before (`base`), an edited one (`yours`) and the
 * current one (`theirs`). `kind` is
 * - `yours` or `theirs` if only one side has changed the property;
 * - `same` if both have changed it to the same value;
 * - `secret` if a secret that the user has set may have been changed by the other side;
 * - `conflict` otherwise.
 *
 * Lists are compared as a whole.
 */
export function threeWay(base, yours, theirs) {
  const rows = [];
  merge(base, yours, theirs, (row) => {
    rows.push(row);
    return undefined;
  });
  return rows;
}

/** Merges three documents. `choose` returns the value for each row. */
export function merge(base, yours, theirs, choose, path = '') {
  if (isObject(yours) && isObject(theirs)) {
    const names = new Set([
      ...Object.keys(theirs),
      ...Object.keys(yours),
      ...(isObject(base) ? Object.keys(base) : []),
    ]);
    return objectOf(
      [...names].map((name) => {
        const [before, own, other] = [base, yours, theirs].map((document) => propertyOf(document, name));
        return [name, merge(before, own, other, choose, propertyPath(path, name))];
      }),
    );
  }
  if (isEqual(base, yours) && isEqual(base, theirs)) return theirs;
  return choose({ path, base, yours, theirs, kind: kindOf(base, yours, theirs) });
}

function kindOf(base, yours, theirs) {
  if (isEqual(yours, theirs)) return 'same';
  // Masks are equal, also of different secrets.
  if (isEqual(base, theirs)) return hasNewSecret(yours) && hasMask(theirs) ? 'secret' : 'yours';
  return isEqual(base, yours) ? 'theirs' : 'conflict';
}

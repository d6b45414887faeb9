/** The application replaces secrets by this text. */
export const MASK = '***';

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** True if two JSON values are equal. The order of properties does not matter. `undefined` stands for absent. */
export function isEqual(one, other) {
  if (one === other) return true;
  if (Array.isArray(one)) {
    return (
      Array.isArray(other) && one.length === other.length && one.every((item, index) => isEqual(item, other[index]))
    );
  }
  if (!isObject(one) || !isObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isEqual(one[name], other[name]))
  );
}

/** Reads an own property, so that a property named `constructor` is absent unless the document has it. */
export const propertyOf = (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined);

/** Builds an object in which every name is a plain property, `__proto__` too. Absent values are left out. */
export const objectOf = (entries) => Object.fromEntries(entries.filter(([, value]) => value !== undefined));

/** True if a value is or contains a masked secret. */
export const hasMask = (value) => someText(value, (text) => text === MASK);

function someText(value, test) {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((each) => someText(each, test));
  return test(value);
}

/** Returns a copy without masked secrets. */
export function withoutMasks(value) {
  if (value === MASK) return undefined;
  if (Array.isArray(value)) return value.map((item) => withoutMasks(item) ?? null);
  if (!isObject(value)) return value;
  return objectOf(Object.entries(value).map(([name, each]) => [name, withoutMasks(each)]));
}

/** Returns a copy of `document` in which each mask is replaced by the secret that `entered` has at its place. */
export function withSecretsOf(document, entered) {
  if (document === MASK) return ['string', 'number'].includes(typeof entered) ? entered : MASK;
  if (Array.isArray(document)) return document.map((item, index) => withSecretsOf(item, entered?.[index]));
  if (!isObject(document)) return document;
  return objectOf(
    Object.entries(document).map(([name, value]) => [name, withSecretsOf(value, propertyOf(entered, name))]),
  );
}

/** Takes the place of a secret that the user has entered, where documents are compared. */
const NEW_SECRET = '*** (new value)';

/** Returns a copy of `document` that shows which masks stand for a secret that `entered` has. */
export const markNewSecrets = (document, entered) => {
  const marked = withSecretsOf(document, entered);
  return mapTexts(document, marked, (text, other) => (text === MASK && other !== MASK ? NEW_SECRET : text));
};

/** Reverts `markNewSecrets`: puts the secrets of `entered` in. */
export const unmarkNewSecrets = (document, entered) =>
  mapTexts(document, entered, (text, other) => (text === NEW_SECRET ? (other ?? MASK) : text));

export const hasNewSecret = (value) => someText(value, (text) => text === NEW_SECRET);

/** Maps the values of a document that have none inside, with those that another one has at the same place. */
function mapTexts(document, other, map) {
  if (Array.isArray(document)) return document.map((item, index) => mapTexts(item, other?.[index], map));
  if (!isObject(document)) return map(document, other);
  return objectOf(
    Object.entries(document).map(([name, value]) => [name, mapTexts(value, propertyOf(other, name), map)]),
  );
}

/** A value in one line, for a cell of a table. */
export function shortText(value, maxLength = 200) {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value);
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

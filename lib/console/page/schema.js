import { isObject, MASK } from './json-values.js';

/** Follows the references of a JSON Schema within the document. Returns `{}`, which allows any value, for others. */
export function resolve(schema, root) {
  let resolved = schema;
  for (let steps = 0; steps < 20 && isObject(resolved); steps += 1) {
    const next = referenced(resolved, root) ?? withoutNull(resolved) ?? onlyOne(resolved);
    if (next === undefined) return resolved;
    resolved = next;
  }
  return {};
}

/**
 * The kind of field that edits a value: the kind that the schema describes, or that of the value if the schema allows
 * any. A value that its field could not show is edited as JSON.
 */
export function fieldKind(schema, value) {
  const kind = describedKind(schema) ?? kindOfValue(value);
  if (value === undefined || value === MASK) return kind;
  const fits = {
    object: isObject(value),
    map: isObject(value),
    list: Array.isArray(value),
    boolean: typeof value === 'boolean',
    enum: !isObject(value) && !Array.isArray(value),
  };
  if (kind in fits) return fits[kind] ? kind : 'json';
  return typeof value === 'string' || typeof value === 'number' ? kind : 'json';
}

function describedKind(schema) {
  if (Array.isArray(schema.enum)) return 'enum';
  switch (schema.type) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
      return 'string';
    case 'array':
      return Array.isArray(schema.prefixItems) ? 'json' : 'list';
    case 'object':
      return isObject(schema.properties) ? 'object' : 'map';
    case undefined:
      return isObject(schema.properties) ? 'object' : undefined;
    default:
      return 'json';
  }
}

function kindOfValue(value) {
  if (Array.isArray(value)) return 'list';
  if (isObject(value)) return 'map';
  return ['string', 'number', 'boolean'].includes(typeof value) ? typeof value : 'json';
}

function referenced({ $ref: reference }, root) {
  if (typeof reference !== 'string') return undefined;
  if (reference === '#') return root;
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(reference)?.[1];
  return (name && (root.$defs?.[name] ?? root.definitions?.[name])) ?? {};
}

/** Returns `X` for `X | null`: a property that may be null is edited as `X`. */
function withoutNull({ anyOf, oneOf, type, ...rest }) {
  if (Array.isArray(type)) {
    const others = type.filter((each) => each !== 'null');
    return others.length === 1 ? { ...rest, type: others[0] } : { ...rest, type: 'any' };
  }
  const others = (anyOf ?? oneOf)?.filter((each) => each?.type !== 'null');
  if (others === undefined) return undefined;
  if (others.length === 1) return { ...rest, ...others[0] };
  return others.every((each) => each !== null && 'const' in each)
    ? { ...rest, enum: others.map((each) => each.const) }
    : { ...rest, type: 'any' };
}

function onlyOne({ allOf, ...rest }) {
  return Array.isArray(allOf) && allOf.length === 1 ? { ...rest, ...allOf[0] } : undefined;
}

/** Describes the bounds of a value, such as `whole number, 1 to 65535`. */
export function boundsText(schema) {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, format } = schema;
  const noun = { integer: 'whole number', number: 'number' }[schema.type];
  const count = schema.type === 'array' ? 'items' : 'characters';
  const parts = [
    noun,
    between(minimum ?? schema.exclusiveMinimum, maximum ?? schema.exclusiveMaximum),
    withUnit(between(minLength ?? minItems, maxLength ?? maxItems), count),
    pattern === undefined ? undefined : `matches ${pattern}`,
    format,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

function between(low, high) {
  if (low !== undefined && high !== undefined) return low === high ? `exactly ${low}` : `${low} to ${high}`;
  if (low !== undefined) return `at least ${low}`;
  return high === undefined ? undefined : `at most ${high}`;
}

const withUnit = (text, unit) => (text === undefined ? undefined : `${text} ${unit}`);

import { element } from './element.js';
import { FieldContext } from './field-context.js';
import { FieldViolations } from './field-violations.js';
import { MASK } from './json-values.js';
import { JsonField } from './json-field.js';
import { ListField } from './list-field.js';
import { MapField } from './map-field.js';
import { ObjectField } from './object-field.js';
import { OptionalField } from './optional-field.js';
import { ScalarField } from './scalar-field.js';
import { fieldKind } from './schema.js';
import { SecretField } from './secret-field.js';

/** Documents with more values are edited as text. */
const MAX_VALUES = 1_000;

const CONTAINERS = { object: ObjectField, map: MapField, list: ListField };

/**
 * Creates the form of a document. `entry` has the JSON Schema, the paths of the secrets and the origins of the values.
 * Returns the root field: `element`, `read(withSecrets)` and `showViolations(violations)`, which returns those without
 * a field.
 */
export function documentForm(document, { schema, secrets = [], secret, from }) {
  if (countOf(document) > MAX_VALUES) return withoutForm(document);
  const secretPaths = new Set(secrets.map(anyItem));
  const form = { schema: schema ?? {}, isSecret: (path) => secretPaths.has(anyItem(path)), from, create };
  const root = create(document ?? undefined, new FieldContext(form, '', '', form.schema, { isSecret: secret }));
  return {
    element: root.element,
    read: (withSecrets) => root.read(withSecrets),
    showViolations: (violations) => {
      const remaining = new FieldViolations(violations);
      root.showViolations(remaining);
      return remaining.left;
    },
  };
}

/** A property that is secret in one item of a list is secret in all of them, also in a new one. */
const anyItem = (path) => path.replace(/\[\d+\]/g, '[]');

/** A document with too many values for a form is edited as text. */
const withoutForm = (document) => ({
  element: element('p', { className: 'hint' }, 'The document is too large for a form. Edit its text.'),
  read: () => document,
  showViolations: (violations) => violations,
});

/** Number of values in a document. Stops counting above the limit. */
function countOf(document) {
  let count = 0;
  const pending = [document];
  while (pending.length > 0 && count <= MAX_VALUES) {
    const value = pending.pop();
    count += 1;
    if (typeof value === 'object' && value !== null) pending.push(...Object.values(value).slice(0, MAX_VALUES));
  }
  return count;
}

function create(value, context) {
  if (value === MASK) return new SecretField(value, context);
  const kind = fieldKind(context.schema, value);
  const Container = CONTAINERS[kind];
  if (Container) {
    const make = (content) => new Container(content, context);
    return context.isRequired || context.path === '' ? make(value) : new OptionalField(value, context, make);
  }
  if (context.isSecret) return new SecretField(value, context);
  return kind === 'json' ? new JsonField(value, context) : new ScalarField(kind, value, context);
}

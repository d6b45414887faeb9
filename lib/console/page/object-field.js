import { element } from './element.js';
import { fieldGroup } from './field-group.js';
import { objectOf, propertyOf } from './json-values.js';

/** An object whose properties the schema names. It keeps other properties, whose fields follow their values. */
export class ObjectField {
  #fields;
  #showOwnViolation = () => undefined;
  #path;

  constructor(value, context) {
    const { properties, required = [], additionalProperties } = context.schema;
    this.#path = context.path;
    const extra = typeof additionalProperties === 'object' ? additionalProperties : {};
    const named = Object.entries(properties).map(([name, schema]) => [name, schema, required.includes(name)]);
    const unnamed = Object.keys(value ?? {})
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name) => [name, extra, false]);
    this.#fields = [...named, ...unnamed].map(([name, schema, isRequired]) => [
      name,
      context.form.create(propertyOf(value, name), context.property(name, schema, isRequired)),
    ]);
    const elements = this.#fields.map(([, field]) => field.element);
    if (context.path === '') {
      this.element = element('div', { dataset: { path: '' } }, ...elements);
      return;
    }
    const { group, showViolation } = fieldGroup(context, [], ...elements);
    this.element = group;
    this.#showOwnViolation = showViolation;
  }

  read(withSecrets) {
    return objectOf(this.#fields.map(([name, field]) => [name, field.read(withSecrets)]));
  }

  showViolations(violations) {
    if (this.#path !== '') this.#showOwnViolation(violations.take(this.#path));
    for (const [, field] of this.#fields) field.showViolations(violations);
  }
}

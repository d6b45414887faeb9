import { itemPath, propertyPath } from './property-path.js';
import { resolve } from './schema.js';

/** The place of a field in the form. `form` has what all fields share, such as the schema and the secrets. */
export class FieldContext {
  constructor(form, path, label, schema, { isRequired = true, isSecret = false, mustEnterAgain = false } = {}) {
    this.form = form;
    this.path = path;
    this.label = label;
    this.schema = resolve(schema, form.schema);
    this.isRequired = isRequired;
    this.mustEnterAgain = mustEnterAgain;
    this.isSecret = isSecret || this.schema.writeOnly === true || form.isSecret(path);
  }

  /** Layer or other origin of the value, if the definition has several. */
  get origin() {
    return this.form.from?.[this.path];
  }

  property(name, schema, isRequired) {
    const { form, path, isSecret, mustEnterAgain } = this;
    return new FieldContext(form, propertyPath(path, name), name, schema, { isRequired, isSecret, mustEnterAgain });
  }

  item(index, schema, hasMoved) {
    const { form, path, isSecret } = this;
    const mustEnterAgain = this.mustEnterAgain || hasMoved;
    return new FieldContext(form, itemPath(path, index), String(index + 1), schema, { isSecret, mustEnterAgain });
  }
}

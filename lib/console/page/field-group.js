import { constraintText } from './constraint-text.js';
import { element, nextId, setText } from './element.js';

/** The frame of a property that has fields of its own: its name, an action to add or remove it, and its violations. */
export function fieldGroup({ path, label, schema, origin }, actions, ...children) {
  const error = element('p', { id: nextId('group-error'), className: 'error', hidden: true });
  const group = element(
    'fieldset',
    { className: 'group', dataset: { path } },
    element('legend', {}, label),
    origin === undefined ? undefined : element('span', { className: 'origin' }, origin),
    schema.description && element('p', { className: 'hint' }, schema.description),
    error,
    ...children,
    actions.length > 0 && element('div', { className: 'actions' }, ...actions),
  );
  group.setAttribute('aria-describedby', error.id);
  const showViolation = (constraints) => {
    setText(error, constraints === undefined ? '' : `${constraintText(constraints, schema)}.`);
    error.hidden = constraints === undefined;
  };
  return { group, showViolation };
}

/** Tells the form that its document has changed in another way than by an input. */
export const reportEdit = (field) => field.dispatchEvent(new Event('input', { bubbles: true }));

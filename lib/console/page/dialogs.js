import { button, element, nextId } from './element.js';

/** Shows a modal dialog. Resolves with what `close(result)` was called with; `undefined` if it was cancelled. */
export function openDialog(title, build, { isWide = false } = {}) {
  return new Promise((resolve) => {
    const heading = element('h2', { id: nextId('dialog') }, title);
    const dialog = element('dialog', { className: isWide ? 'wide' : '' });
    dialog.setAttribute('aria-labelledby', heading.id);
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    dialog.append(heading, ...build(close));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Asks for one confirmation. With `hasReason`, also for the optional reason that the audit trail keeps. Resolves with
 * `{ reason }`, or `undefined` if the user cancels.
 */
export const confirm = ({ title, text, action, hasReason = false, isDangerous = false }) =>
  openDialog(title, (close) => {
    const reason = element('input', { type: 'text', maxLength: 500, autocomplete: 'off' });
    const form = element(
      'form',
      { method: 'dialog' },
      element('p', {}, text),
      hasReason && element('label', { className: 'stacked' }, 'Reason (optional)', reason),
      element(
        'div',
        { className: 'actions' },
        element('button', { type: 'submit', className: isDangerous ? 'danger' : '' }, action),
        button('Cancel', () => close(undefined), { className: 'quiet' }),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      close({ reason: reason.value === '' ? undefined : reason.value });
    });
    return [form];
  });

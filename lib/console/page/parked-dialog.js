import { api } from './api.js';
import { openDialog } from './dialogs.js';
import { button, element } from './element.js';
import { KeyedTable } from './keyed-table.js';
import { timeText } from './texts.js';

/** Shows the parked events of a group. */
export async function parkedDialog(cluster, group) {
  const result = await api.parked({ cluster, group }).catch((error) => ({ error }));
  await openDialog(
    `Parked events of ${group}`,
    (close) => {
      const table = new KeyedTable({
        label: 'Parked events',
        empty: result.error?.message ?? 'No event is parked.',
        keyOf: ({ key, revision }) => JSON.stringify([key, revision]),
        columns: [
          { heading: 'Key', text: ({ key }) => key },
          { heading: 'Change', text: ({ type }) => type },
          { heading: 'Revision', isNumber: true, text: ({ revision }) => revision },
          { heading: 'Attempts', isNumber: true, text: ({ attempts }) => attempts },
          { heading: 'Error', text: ({ error }) => error },
          { heading: 'Parked', text: ({ parkedAt, isRedriven }) => (isRedriven ? 'redriven' : timeText(parkedAt)) },
        ],
      });
      table.update(result.events ?? []);
      return [
        table.element,
        element(
          'div',
          { className: 'actions' },
          button('Close', () => close(), { className: 'quiet' }),
        ),
      ];
    },
    { isWide: true },
  );
}

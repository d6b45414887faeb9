import { INSTRUMENTS } from '../../lib/telemetry/instruments.js';

/** The table of all instruments in docs/observability.md, before formatting. */
export const instrumentsTable = (): string =>
  [
    '| instrument | kind | unit | description |',
    '| --- | --- | --- | --- |',
    ...Object.values(INSTRUMENTS).map(
      ({ name, kind, options: { unit, description } }) => `| \`${name}\` | ${kind} | ${unit} | ${description} |`,
    ),
  ].join('\n');

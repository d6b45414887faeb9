import { INSTRUMENTS } from '../../lib/telemetry/instruments.js';

/** The table of all instruments, as the guide has it. */
export const instrumentsTable = (): string =>
  [
    '| instrument | kind | unit | |',
    '| --- | --- | --- | --- |',
    ...Object.values(INSTRUMENTS).map(
      ({ name, kind, options: { unit, description } }) => `| \`${name}\` | ${kind} | ${unit} | ${description} |`,
    ),
  ].join('\n');

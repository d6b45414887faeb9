import { createHash } from 'node:crypto';
import { printable } from '../foreign/foreign-text.js';

/** Number of different sets of names that are reported. */
const MAX_REPORTS = 100;
/** Number of names that one report lists. */
const MAX_NAMES = 20;

/**
 * Limits reports of unknown properties: documents of one shape are reported once, and at most 100 shapes are. Keeps a
 * digest of each shape rather than its names.
 */
export class UnknownReports {
  readonly #reported = new Set<string>();

  /**
   * Returns the names for the report of the first document with these unknown properties; `undefined` if there is
   * nothing to report.
   */
  namesToReport(paths: readonly string[]): string | undefined {
    if (paths.length === 0 || this.#reported.size >= MAX_REPORTS) return undefined;
    const shape = createHash('sha256').update(JSON.stringify(paths)).digest('base64');
    if (this.#reported.has(shape)) return undefined;
    this.#reported.add(shape);
    const names = paths.slice(0, MAX_NAMES).map(printable).join(', ');
    const further = paths.length > MAX_NAMES ? ' and more' : '';
    const isLast = this.#reported.size === MAX_REPORTS;
    return `${names}${further}${isLast ? '; further unknown properties are not reported' : ''}`;
  }
}

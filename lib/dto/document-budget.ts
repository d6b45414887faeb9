import { jsonMethodOf } from './secrets/mask.js';
import type { DocumentLimits } from './document-limits.js';
import type { ViolationList } from './violation-list.js';

/**
 * The limits of a document, for a value that becomes one. An object counts each time that it occurs, so the visit of a
 * value that contains one object many times ends, too.
 */
export class DocumentBudget {
  #values: number;
  #properties: number;
  #containers: number;
  readonly #violations: ViolationList;

  constructor({ values, properties, nestedObjects }: DocumentLimits, violations: ViolationList) {
    this.#values = values;
    this.#properties = properties;
    // The document itself is not nested.
    this.#containers = nestedObjects + 1;
    this.#violations = violations;
  }

  /** Returns false if the container exceeds a limit, which is a violation, or if an earlier one did. */
  take(container: object): boolean {
    if (this.#exceeded() !== undefined) return false;
    const size = sizeOf(container);
    this.#values -= size;
    // A date or another object with its own toJSON method is not a nested object of the document.
    if (!hasToJson(container)) {
      this.#containers -= 1;
      if (!Array.isArray(container) && !(container instanceof Set)) this.#properties -= size;
    }
    const exceeded = this.#exceeded();
    if (exceeded !== undefined) this.#violations.add('', `limits.${exceeded}`);
    return exceeded === undefined;
  }

  #exceeded(): keyof DocumentLimits | undefined {
    if (this.#values < 0) return 'values';
    if (this.#properties < 0) return 'properties';
    return this.#containers < 0 ? 'nestedObjects' : undefined;
  }
}

/** Number of items or properties of a list, `Set`, `Map` or object. */
export function sizeOf(container: object): number {
  if (Array.isArray(container)) return container.length;
  return container instanceof Map || container instanceof Set ? container.size : Object.keys(container).length;
}

/** False for an object whose `toJSON` only masks its secrets: its properties are written. */
export const hasToJson = (part: object): boolean => jsonMethodOf(part) !== undefined;

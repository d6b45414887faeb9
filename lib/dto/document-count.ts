import { type DocumentLimits } from './document-limits.js';
import { isForbiddenName, type JsonObject, MAX_DEPTH, MAX_PROPERTIES } from './json-object.js';

/** Counts the parts of a document, and ends early if the document cannot be accepted. */
export class DocumentCount {
  #values = 0;
  #properties = 0;
  #nestedObjects = 0;
  readonly #limits: DocumentLimits;
  readonly #largest: number;

  /** @param largest the largest absolute value of a number */
  constructor(limits: DocumentLimits, largest = Number.MAX_SAFE_INTEGER) {
    this.#limits = limits;
    this.#largest = largest;
  }

  /** Properties of all objects. */
  get properties(): number {
    return this.#properties;
  }

  /** Name of the first option whose limit the counted parts exceed. */
  get exceeded(): keyof DocumentLimits | undefined {
    if (this.#values > this.#limits.values) return 'values';
    if (this.#properties > this.#limits.properties) return 'properties';
    return this.#nestedObjects > this.#limits.nestedObjects ? 'nestedObjects' : undefined;
  }

  /**
   * Returns true if all parts of the document are counted, false if it exceeds a limit, is too deep, or has too many
   * properties in one object, a forbidden name, or a number that is larger than the largest one or not finite.
   */
  add(value: object, depth = 1): boolean {
    if (depth > MAX_DEPTH) return false;
    if (Array.isArray(value)) {
      this.#values += value.length;
      if (this.#values > this.#limits.values) return false;
      for (const item of value) if (!this.#addPart(item, depth)) return false;
      return true;
    }
    let own = 0;
    // Faster than Object.keys(). V8 optimizes hasOwnProperty() in a for-in loop, but not Object.hasOwn().
    for (const name in value) {
      if (!Object.prototype.hasOwnProperty.call(value, name)) continue;
      own += 1;
      if (isForbiddenName(name) || !this.#addPart((value as JsonObject)[name], depth)) return false;
    }
    this.#values += own;
    this.#properties += own;
    return own <= MAX_PROPERTIES && this.#values <= this.#limits.values && this.#properties <= this.#limits.properties;
  }

  #addPart(part: unknown, depth: number): boolean {
    if (typeof part === 'number') return Math.abs(part) <= this.#largest;
    if (typeof part !== 'object' || part === null) return true;
    this.#nestedObjects += 1;
    return this.#nestedObjects <= this.#limits.nestedObjects && this.add(part, depth + 1);
  }
}

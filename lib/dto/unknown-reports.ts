/** Limits reports of unknown properties: documents of one shape are reported once. */
export class UnknownReports {
  readonly #reported = new Set<string>();

  /** True for the first document with these unknown properties; false if there are none. */
  isNew(paths: readonly string[]): boolean {
    const before = this.#reported.size;
    if (paths.length > 0) this.#reported.add(paths.join());
    return this.#reported.size > before;
  }
}

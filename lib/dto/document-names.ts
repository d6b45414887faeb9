/** Distinguishes the names of properties in a document from its values, without a visit before the first question. */
export class DocumentNames {
  readonly #names = new Set<string>();
  readonly #values = new Set<string>();
  #longestList = 0;
  #isVisited = false;

  constructor(private readonly document: unknown) {}

  /** True for a text or number that is a value in the document, but neither a name nor an index in it. */
  isValue(part: string | number): boolean {
    this.#visit();
    const isPlace = typeof part === 'number' ? part >= 0 && part < this.#longestList : this.#names.has(part);
    return !isPlace && this.#values.has(String(part));
  }

  #visit(): void {
    if (this.#isVisited) return;
    this.#isVisited = true;
    const visited = new Set<object>();
    const pending: unknown[] = [this.document];
    while (pending.length > 0) {
      const part = pending.pop();
      if (typeof part === 'string' || typeof part === 'number') this.#values.add(String(part));
      if (typeof part !== 'object' || part === null || visited.has(part)) continue;
      visited.add(part);
      if (Array.isArray(part)) this.#longestList = Math.max(this.#longestList, part.length);
      else for (const name of Object.keys(part)) this.#names.add(name);
      for (const inner of Object.values(part) as unknown[]) pending.push(inner);
    }
  }
}

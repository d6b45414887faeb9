/** Violations that are shown at their properties. Those that no field takes are left. */
export class FieldViolations {
  #byPath;

  constructor(violations) {
    this.#byPath = new Map(violations.map(({ path, constraints }) => [path, constraints]));
  }

  /** Removes and returns the violated constraints of a property; `undefined` if there are none. */
  take(path) {
    const constraints = this.#byPath.get(path);
    this.#byPath.delete(path);
    return constraints;
  }

  /** Removes and returns the violated constraints of a property and of what it contains. */
  takeAll(path) {
    const inside = [...this.#byPath.keys()].filter(
      (each) => each === path || each.startsWith(`${path}.`) || each.startsWith(`${path}[`),
    );
    const constraints = inside.flatMap((each) => this.take(each));
    return constraints.length === 0 ? undefined : constraints;
  }

  get left() {
    return [...this.#byPath].map(([path, constraints]) => ({ path, constraints }));
  }
}

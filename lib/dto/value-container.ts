import { itemPath, propertyPath } from './property-path.js';

/** An object or list inside of a value. Its path is built only for a violation, because most values have none. */
export class ValueContainer {
  /** 1 for the value itself. */
  readonly depth: number;

  /** @param segment the name or index in the outer container */
  constructor(
    readonly value: object,
    private readonly outer?: ValueContainer,
    private readonly segment: string | number = '',
  ) {
    this.depth = outer ? outer.depth + 1 : 1;
  }

  /** True if the object is this container, or one around it. */
  isWithin(object: object): boolean {
    return this.value === object || this.outer?.isWithin(object) === true;
  }

  /** Path of a property or an item. */
  pathOf(segment: string | number): string {
    const path = this.outer ? this.outer.pathOf(this.segment) : '';
    return typeof segment === 'number' ? itemPath(path, segment) : propertyPath(path, segment);
  }
}

import { plainToInstance } from 'class-transformer';
import { validate, validateSync, type ValidationError } from 'class-validator';
import { itemPath, propertyPath } from '../../../lib/dto/property-path.js';
import { validatedNamesOf, visitInstances } from './instances.js';
import { type ClassShape, shapesByClass } from './shape.js';
import { containerViolation, documentViolations, droppedKeys } from './stricter.js';

/** The result of class-transformer and class-validator, with the rules that are stricter on purpose. */
export interface Reference {
  /** `path: code` of every violation. */
  readonly violations: ReadonlySet<string>;
  /** Code of the violation if a function of the class threw, so that other violations are not known. */
  readonly thrown?: 'transform' | 'validator';
  /** Paths of unknown properties. */
  readonly unknown: readonly string[];
  readonly value?: object;
}

export async function referenceOf(shape: ClassShape, text: string): Promise<Reference> {
  const violations = new Set(documentViolations(text));
  if (violations.size > 0) return { violations, unknown: [] };
  const shapes = shapesByClass(shape);
  const unknown: string[] = [];
  let value: object;
  try {
    value = plainToInstance(shape.type, JSON.parse(text) as object);
  } catch {
    return { violations, unknown, thrown: 'transform' };
  }
  visitInstances(value, JSON.parse(text), shapes, {
    instance: (instance, path, selector) => {
      removeUnknown(instance, path, selector, unknown);
    },
  });
  try {
    const options = { forbidUnknownValues: true, dismissDefaultMessages: true };
    addErrors(shape.isAsync ? await validate(value, options) : validateSync(value, options), '', violations);
  } catch {
    return { violations, unknown, thrown: 'validator' };
  }
  visitInstances(value, JSON.parse(text), shapes, {
    nested: (nested, _designType, path, source) => {
      if (nested instanceof Map && !shape.hidesUnknown)
        for (const key of droppedKeys(source, path)) violations.add(key);
      return true;
    },
  });
  visitInstances(value, JSON.parse(text), shapes, {
    nested: (nested, designType, path) => {
      const violation = containerViolation(nested, designType, isValidatedClass);
      if (violation !== undefined) violations.add(`${path}: ${violation}`);
      return violation === undefined;
    },
  });
  return { violations, unknown, value };
}

const isValidatedClass = (type: unknown): boolean => typeof type === 'function' && validatedNamesOf(type).size > 0;

/** Removes properties without decorators, and restores the default values that they replaced. */
function removeUnknown(
  instance: Record<string, unknown>,
  path: string,
  selector: string | undefined,
  unknown: string[],
): void {
  const validated = validatedNamesOf(instance.constructor);
  const defaults = new (instance.constructor as unknown as new () => Record<string, unknown>)();
  for (const name of Object.keys(instance)) {
    if (validated.has(name) || name === selector) continue;
    if (!Object.hasOwn(defaults, name)) Reflect.deleteProperty(instance, name);
    else if (instance[name] === 'unknown') instance[name] = defaults[name];
    else continue;
    unknown.push(propertyPath(path, name));
  }
}

function addErrors(errors: readonly ValidationError[], path: string, violations: Set<string>): void {
  for (const { property, constraints, children } of errors as Partial<ValidationError>[]) {
    const at =
      property === undefined
        ? path
        : /^\d+$/.test(property)
          ? itemPath(path, Number(property))
          : propertyPath(path, property);
    for (const code of Object.keys(constraints ?? {})) violations.add(`${at}: ${code}`);
    addErrors(children ?? [], at, violations);
  }
}

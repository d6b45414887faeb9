import { type Constraint, ValidationExecutor } from '#class-validator/validation/ValidationExecutor.js';
import { getMetadataStorage, type ValidationError, Validator, type ValidatorOptions } from 'class-validator';
import { within } from '../timing/time-limit.js';
import { isConstrained, propertiesOf } from './class-metadata.js';
import { indexedFor } from './indexed-array.js';
import { itemPath, propertyPath } from './property-path.js';
import { ViolationList } from './violation-list.js';

/**
 * Validates an instance with class-validator. Returns a promise only if a validator returned one, whether it is flagged
 * as async or not. A validator that does not settle within the limit is the violation `timeout`; one that throws is the
 * violation `validator`.
 */
export function validateInstance(instance: object, asyncTimeoutMs: number): ViolationList | Promise<ViolationList> {
  const executor = new IndexingExecutor(new Validator(), OPTIONS);
  const errors: ValidationError[] = [];
  let thrownAt: string | undefined;
  try {
    executor.execute(instance, '', errors);
  } catch {
    thrownAt = lastPath(errors);
  }
  const report = (constraint?: string): ViolationList => {
    const violations = new ViolationList();
    addErrors(errors, '', violations);
    addWrongContainers(instance, '', violations, new Set());
    if (thrownAt !== undefined) violations.add(thrownAt, 'validator');
    if (constraint !== undefined) violations.add('', constraint);
    return violations;
  };
  if (executor.awaitingPromises.length === 0) return report();
  return settled(executor.awaitingPromises, asyncTimeoutMs).then(report);
}

/** Reports every violation, without messages and targets, which could contain values. */
const OPTIONS: ValidatorOptions = {
  validationError: { target: false, value: false },
  dismissDefaultMessages: true,
  stopAtFirstError: false,
  forbidUnknownValues: true,
};

async function settled(promises: readonly Promise<unknown>[], limitMs: number): Promise<string | undefined> {
  const outcomes = await within(Promise.allSettled(promises), limitMs);
  if (!outcomes) return 'timeout';
  return outcomes.some(({ status }) => status === 'rejected') ? 'validator' : undefined;
}

function addErrors(errors: readonly ValidationError[], path: string, violations: ViolationList): void {
  for (const error of errors) {
    const at = pathOf(error, path);
    for (const constraint of Object.keys(error.constraints ?? {})) violations.add(at, constraint);
    addErrors(error.children ?? [], at, violations);
  }
}

function lastPath(errors: readonly ValidationError[], path = ''): string {
  const last = errors.at(-1);
  return last ? lastPath(last.children ?? [], pathOf(last, path)) : path;
}

function pathOf({ property }: { readonly property?: string }, parent: string): string {
  // class-validator reports an object without any constraint without a property name.
  if (property === undefined) return parent;
  return /^\d+$/.test(property) ? itemPath(parent, Number(property)) : propertyPath(parent, property);
}

/** class-validator accepts an array in place of one nested object or a `Map`, and one object in place of a list. */
function addWrongContainers(instance: object, path: string, violations: ViolationList, visited: Set<object>): void {
  if (visited.has(instance) || !isConstrained(instance.constructor)) return;
  visited.add(instance);
  for (const { name, isNested, designType } of propertiesOf(instance.constructor).values()) {
    const value: unknown = isNested ? Reflect.get(instance, name) : undefined;
    if (typeof value !== 'object' || value === null) continue;
    const at = propertyPath(path, name);
    const problem = containerProblemOf(value, designType);
    if (problem) violations.add(at, problem);
    else addWrongContainersOfItems(value, at, violations, visited);
  }
}

function containerProblemOf(value: object, designType: unknown): string | undefined {
  if (designType === Array) return Array.isArray(value) ? undefined : 'isArray';
  if (designType === Set) return value instanceof Set ? undefined : 'isArray';
  if (designType === Map) return value instanceof Map ? undefined : 'nestedValidation';
  return Array.isArray(value) && isConstrained(designType) ? 'nestedValidation' : undefined;
}

function addWrongContainersOfItems(value: object, path: string, violations: ViolationList, visited: Set<object>): void {
  if (value instanceof Map) {
    for (const [key, item] of value) visit(item, propertyPath(path, String(key)));
  } else if (Array.isArray(value) || value instanceof Set) {
    let index = 0;
    for (const item of value) visit(item, itemPath(path, index++));
  } else {
    visit(value, path);
  }

  function visit(item: unknown, at: string): void {
    if (typeof item !== 'object' || item === null) return;
    if (Array.isArray(item) || item instanceof Set) addWrongContainersOfItems(item, at, violations, visited);
    else addWrongContainers(item, at, violations, visited);
  }
}

/**
 * Gives the verdict of class-validator in less time: it validates `@ArrayUnique` in linear time, and it collects the
 * constraints of a class once instead of for each nested object.
 */
class IndexingExecutor extends ValidationExecutor {
  override readonly metadataStorage = collectingOnce(getMetadataStorage());

  override customValidations(
    object: object,
    value: unknown,
    metadatas: readonly Constraint[],
    error: ValidationError,
  ): void {
    for (const metadata of metadatas) {
      super.customValidations(object, indexedFor(metadata.name, value, metadata.each), [metadata], error);
    }
  }
}

type MetadataStorage = ReturnType<typeof getMetadataStorage>;

/**
 * class-validator looks for the constraints of ancestors among all decorated classes of the process. Within an execution
 * they depend on the class alone.
 */
function collectingOnce(storage: MetadataStorage): MetadataStorage {
  const collected = new Map<unknown, ReturnType<MetadataStorage['getTargetValidationMetadatas']>>();
  const collecting = Object.create(storage) as MetadataStorage;
  collecting.getTargetValidationMetadatas = (type, ...options) => {
    const found = collected.get(type) ?? storage.getTargetValidationMetadatas(type, ...options);
    collected.set(type, found);
    return found;
  };
  return collecting;
}

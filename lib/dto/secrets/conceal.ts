import { type AnyClass, isClass, itemTypesOf, propertiesOf } from '../class-metadata.js';
import { forEachChild, partPath, visitObjects } from '../value-walk.js';
import { MASK, maskOutput } from './mask.js';
import { declaresSecrets, isDeclaredSecret, isSecretName, markSecret } from './secret-names.js';

/** Masks a value and all of its parts, before it is frozen. */
export function concealWhole(value: unknown): void {
  visitObjects(value, (part) => {
    maskOutput(part);
    markSecret(part, 'all');
  });
}

/** Masks the parts of the secrets that the classes of a value declare, before it is frozen. */
export function concealDeclared(value: unknown): void {
  visitObjects(value, (part) => {
    if (!declaresSecrets(part)) return;
    for (const [name, child] of Object.entries(part)) if (isSecretName(part, name)) concealWhole(child);
  });
}

/**
 * Masks what any possible class of a part declares as a secret, before the instance is frozen: the value may come from a
 * layer in which the part had another class than in the merge.
 */
export function concealLayered(instance: object, types: readonly AnyClass[]): void {
  const names = new Set<string>();
  for (const [name, child] of Object.entries(instance) as [string, unknown][]) {
    const typed = types.flatMap((type) => propertiesOf(type).get(name) ?? []).filter(({ isTyped }) => isTyped);
    const isDeclared = types.some((type) => isDeclaredSecret(type.prototype as object, name));
    if (isDeclared || typed.some(({ isDynamic }) => isDynamic)) {
      names.add(name);
      concealWhole(child);
      continue;
    }
    const next = typed.flatMap((property) => [...itemTypesOf(property), property.itemType]).filter(isClass);
    if (next.length > 0) for (const item of itemsOf(child)) concealLayered(item, next);
  }
  if (names.size === 0) return;
  maskOutput(instance);
  markSecret(instance, names);
}

/** The instances in a value: itself, or those in lists, sets and maps. */
function itemsOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null || value instanceof Date) return [];
  if (value instanceof Map) return [...(value as Map<unknown, unknown>).values()].flatMap(itemsOf);
  return Array.isArray(value) || value instanceof Set
    ? Array.from(value as Iterable<unknown>).flatMap(itemsOf)
    : [value];
}

/** Masks the parts of a value that are, or contain, one of these secrets, before it is frozen. */
export function concealResolved(value: unknown, secrets: ReadonlySet<string>): void {
  visitObjects(value, (part) => {
    const names = new Set<string>();
    forEachChild(part, (child, name) => {
      if (isOneOf(secrets, child)) names.add(String(name));
    });
    if (names.size === 0) return;
    maskOutput(part);
    markSecret(part, names);
  });
}

function isOneOf(secrets: ReadonlySet<string>, part: unknown): boolean {
  if (typeof part !== 'string' && typeof part !== 'number' && typeof part !== 'boolean') return false;
  const text = String(part);
  return secrets.has(text) || [...secrets].some((secret) => secret.length >= MIN_CONTAINED && text.includes(secret));
}

/** Shorter secrets are in other texts by chance. */
const MIN_CONTAINED = 4;

/**
 * Returns the paths of the secrets of a value that contain only the mask: they come from the JSON of a masked value, so
 * that a write would erase the secret.
 * @param isAnySecret true if any text may be in place of a secret
 */
export function maskedPathsOf(value: object, isAnySecret: boolean): string[] {
  const paths: string[] = [];
  visitObjects(value, (part, path) => {
    forEachChild(part, (child, name) => {
      if (child === MASK && (isAnySecret || isSecretName(part, String(name)))) paths.push(partPath(part, path, name));
    });
  });
  return paths;
}

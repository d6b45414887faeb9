import { forEachChild, partPath, visitObjects } from '../value-walk.js';
import { MASK, maskOutput } from './mask.js';
import { declaresSecrets, isSecretName, markSecret } from './secret-names.js';

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
 * Returns the paths of the secrets of a value that contain only the mask: they come from the JSON of a masked value, so
 * that a write would erase the secret.
 */
export function maskedPathsOf(value: object): string[] {
  const paths: string[] = [];
  visitObjects(value, (part, path) => {
    forEachChild(part, (child, name) => {
      if (child === MASK && isSecretName(part, String(name))) paths.push(partPath(part, path, name));
    });
  });
  return paths;
}

const SECRETS: ReadonlySet<string> = new Set(['password']);

/** Replacement for secrets. */
export const MASK = '***';

export const isSecret = (property: string): boolean => SECRETS.has(property);

/** Returns a copy with masked secrets. */
export const masked = (value: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(value).map(([name, property]: [string, unknown]) => [name, isSecret(name) ? MASK : property]),
  );

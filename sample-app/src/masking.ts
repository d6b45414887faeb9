const SECRETS: ReadonlySet<string> = new Set(['password']);

/** Shown instead of a secret. */
export const MASK = '***';

export const isSecret = (property: string): boolean => SECRETS.has(property);

/** A copy to be shown. */
export const masked = (value: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(value).map(([name, part]: [string, unknown]) => [name, isSecret(name) ? MASK : part]),
  );

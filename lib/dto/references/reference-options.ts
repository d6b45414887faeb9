/** Resolves references to secrets that a document contains in place of the secrets. */
export interface ReferenceOptions {
  /** Matches the texts of a document that are references as a whole, such as `/^vault:/`. */
  readonly pattern: RegExp;
  /**
   * Returns the secret of a reference, within 5 seconds; then the signal aborts. The error that it throws or rejects with
   * is logged by its class and place only.
   */
  readonly get: (reference: string, options: { readonly signal: AbortSignal }) => string | PromiseLike<string>;
  /**
   * Milliseconds between two calls of `get` for a reference that is in use. While `get` fails, the last good secret stays.
   * @default 300_000
   */
  readonly refreshMs?: number | undefined;
}

export const DEFAULT_REFRESH_MS = 300_000;

import { printable } from '../../foreign/foreign-text.js';

/** Messages of file system errors contain paths; their codes, such as `ENOSPC`, are enough for a log line. */
export const fileErrorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? printable(String(error.code)) : 'failed unexpectedly';

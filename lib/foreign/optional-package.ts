import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Loads an optional peer dependency as this package resolves it, or as the working directory does where a bundler left
 * `import.meta.url` empty.
 */
export const loadPackage = (name: string): unknown => createRequire(ownPlace(import.meta.url))(name);

const ownPlace = (url: string | undefined): string => url ?? join(process.cwd(), 'index.js');

// Copies the page of the console, which needs no compilation, beside the compiled server.
import { cpSync, rmSync } from 'node:fs';

const target = new URL('../../dist/console/page/', import.meta.url);
rmSync(target, { recursive: true, force: true });
cpSync(new URL('./page/', import.meta.url), target, { recursive: true });

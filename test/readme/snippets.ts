import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

/** Returns the TypeScript blocks of a document with a file name: ```ts title="app.module.ts" */
export function snippetsOf(document: string): ReadonlyMap<string, string> {
  const blocks = readFileSync(document, 'utf8').matchAll(/^```ts title="([^"]+)"\n([\s\S]*?)^```$/gm);
  return new Map(Array.from(blocks, ([, title = '', code = '']) => [title, code]));
}

/** Returns the number of TypeScript blocks without a file name, which would not be tested. */
export const namelessSnippetsIn = (document: string): number =>
  [...readFileSync(document, 'utf8').matchAll(/^```ts\s*$/gm)].length;

/** Writes the snippets to a folder, type-checks them against the package and compiles them. Returns the diagnostics. */
export function compileSnippets(snippets: ReadonlyMap<string, string>, folder: string): string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [title, code] of snippets) writeFileSync(join(folder, title), code);
  const program = ts.createProgram(
    Array.from(snippets.keys(), (title) => join(folder, title)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [resolve('node_modules/@types')],
    },
  );
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(
    ({ file, messageText }) =>
      `${file?.fileName.split('/').at(-1) ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
}

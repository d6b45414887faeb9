import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const FOLDER = 'test/types';
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));

/** Returns the messages of the compiler. A `@ts-expect-error` without an error is one, too. */
function compile(files: readonly string[], options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(
    files.map((file) => join(FOLDER, file)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      noEmit: true,
      types: ['node'],
      ...options,
    },
  );
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file?.fileName.split('/').at(-1) ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

describe('the types', () => {
  it.each<[string, ts.CompilerOptions]>([
    ['a strict application', { strict: true }],
    ['one with exactOptionalPropertyTypes', { strict: true, exactOptionalPropertyTypes: true }],
  ])('accept correct code and refuse wrong code in %s', (_, options) => {
    expect(FILES.length).toBeGreaterThan(2);
    // The built package, as an application sees it.
    expect(compile(FILES, options)).toEqual([]);
  });

  it('need no strict mode', () => {
    const files = FILES.filter((file) => !file.startsWith('strict-') && !['live.ts', 'store.ts'].includes(file));

    expect(compile(files, { strict: false })).toEqual([]);
  });
});

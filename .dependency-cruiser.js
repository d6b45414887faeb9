/** No import circle in lib, not even one of types alone. */
export default {
  forbidden: [{ name: 'no-circle', severity: 'error', from: {}, to: { circular: true } }],
  options: {
    includeOnly: '^lib/',
    tsConfig: { fileName: 'tsconfig.build.json' },
    // Imports of types are gone once compiled.
    tsPreCompilationDeps: true,
  },
};

/**
 * Vite takes a CommonJS module behind a subpath import for an ES module of this package. This plugin replaces the
 * subpath imports of lib by what the manifest maps them to in Node.
 */
export const privateModules = {
  name: 'private-modules',
  enforce: 'pre',
  transform: (code, id) =>
    id.includes('/lib/') ? code.replace(/'#(class-transformer|class-validator)\//g, "'$1/cjs/") : undefined,
};

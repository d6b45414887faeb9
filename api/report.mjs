// Writes a report of the public types of each entry point; with --check, compares it with the committed one instead.
// A report holds signatures only: neither the wording of doc comments nor the file layout of lib changes it.
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const CACHE = resolve('node_modules/.cache/api');
const MANIFEST = JSON.parse(readFileSync('package.json', 'utf8'));
const MAIN = '.';
const PRINTER = ts.createPrinter({ removeComments: true });

const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values;
const types = Object.fromEntries(
  Object.entries(MANIFEST.exports).flatMap(([entry, target]) => (target.types ? [[entry, resolve(target.types)]] : [])),
);
const declarations = extractAll(types);
const exportedByMain = new Set(declarations[MAIN].filter(({ exported }) => exported).map(({ name }) => name));

const outdated = [];
for (const entry of Object.keys(types)) {
  const file = `api/${nameOf(entry)}.api.md`;
  const report = await render(entry, visible(declarations[entry].map(imported)));
  if (!check) writeFileSync(file, report);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== report) outdated.push(file);
}
if (outdated.length > 0) {
  console.error(`The public API differs from ${outdated.join(', ')}: run "npm run api" and commit the result.`);
  process.exitCode = 1;
}

function nameOf(entry) {
  return entry === MAIN ? 'index' : entry.slice('./'.length).replaceAll('/', '-');
}

/** The declarations of each entry point, including those that it uses without exporting them. */
function extractAll(types) {
  mkdirSync(CACHE, { recursive: true });
  const configs = Object.entries(types).map(([entry, file]) => [entry, configOf(entry, file)]);
  const compilerState = CompilerState.create(configs[0][1], { additionalEntryPoints: Object.values(types) });
  return Object.fromEntries(configs.map(([entry, config]) => [entry, extract(entry, config, compilerState)]));
}

function configOf(entry, file) {
  const quiet = { default: { logLevel: 'none' } };
  return ExtractorConfig.prepare({
    packageJsonFullPath: resolve('package.json'),
    configObject: {
      projectFolder: process.cwd(),
      mainEntryPointFilePath: file,
      newlineKind: 'lf',
      compiler: { tsconfigFilePath: 'tsconfig.build.json' },
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName: nameOf(entry),
        reportVariants: ['public'],
        reportFolder: CACHE,
        reportTempFolder: CACHE,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: { extractorMessageReporting: quiet, tsdocMessageReporting: quiet },
    },
  });
}

function extract(entry, config, compilerState) {
  const silence = (message) => {
    if (message.logLevel !== 'error') message.logLevel = 'none';
  };
  const { succeeded } = Extractor.invoke(config, { compilerState, localBuild: true, messageCallback: silence });
  if (!succeeded) throw new Error(`api-extractor could not read the types of "${entry}"`);

  const [, code] = /```ts\n(.*)```/s.exec(readFileSync(resolve(CACHE, `${nameOf(entry)}.public.api.md`), 'utf8'));
  const source = ts.createSourceFile('api.ts', code, ts.ScriptTarget.Latest, true);
  return source.statements.map((statement) => declarationOf(statement, source));
}

function declarationOf(statement, source) {
  const [imported] = statement.importClause?.namedBindings?.elements ?? [];
  const { name } = imported ?? statement.declarationList?.declarations[0] ?? statement;
  const text = PRINTER.printNode(ts.EmitHint.Unspecified, statement, source);
  return {
    name: name?.text,
    exported: statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false,
    // Whether a name is imported as a type depends on the files of lib, not on the API.
    text: text.replace(/^import type /, 'import '),
  };
}

/** Another entry point imports what the main one exports, instead of repeating its declaration. */
function imported(declaration) {
  const { name, exported } = declaration;
  if (exported || !exportedByMain.has(name)) return declaration;
  return { name, exported, text: `import { ${name} } from '${MANIFEST.name}';` };
}

/** The exports, and the other declarations and imports that they need. */
function visible(declarations) {
  const exports = declarations.filter(({ name, exported }) => exported || name === undefined);
  // No further than one step, because what lies behind a declaration that is not exported may change at any time.
  const parts = mentionedBy(
    exports,
    declarations.filter(({ text }) => !text.startsWith('import ')),
  );
  const shown = new Set([...exports, ...parts]);
  const imports = mentionedBy(
    shown,
    declarations.filter(({ text }) => text.startsWith('import ')),
  );
  return { imports, declarations: declarations.filter((declaration) => shown.has(declaration)) };
}

function mentionedBy(mentioning, candidates) {
  const words = new Set([...mentioning].flatMap(({ text }) => text.match(/[\w$]+/g)));
  return candidates.filter(({ name }) => words.has(name));
}

async function render(entry, { imports, declarations }) {
  const title = entry === MAIN ? MANIFEST.name : `${MANIFEST.name}/${entry.slice('./'.length)}`;
  const code = [
    imports
      .map(({ text }) => text)
      .sort()
      .join('\n'),
    ...declarations.map(({ text }) => text),
  ].join('\n\n');
  const markdown = `# Public API of \`${title}\`\n\nGenerated by \`npm run api\`.\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
  return format(markdown, { ...(await resolveConfig(resolve('package.json'))), parser: 'markdown' });
}

import type * as Yaml from 'yaml';
import { MAX_DEPTH } from '../json-object.js';
import { rejected } from './document-text.js';

/** Parsing YAML is slow and blocks the event loop. */
export const MAX_YAML_BYTES = 128 * 1024;

/** Aliases in a document; also limits their expansion. */
export const MAX_ALIASES = 100;

const MAX_ANCHORS = 1_000;
const MAX_DIRECTIVES = 16;
/** Lexical tokens: indicators, scalars, comments, line breaks, indentation. */
const MAX_LEXEMES = 100_000;
/**
 * Open collections of the syntax tree. More than `MAX_DEPTH`, so that `readDocument` reports the path of the part that
 * is nested too deeply. A collection of the tree may hold two levels of the document, such as `[a: 1]`.
 */
const MAX_OPEN = 2 * MAX_DEPTH;

export type YamlTokens =
  { readonly ok: true; readonly tokens: readonly Yaml.CST.Token[] } | ReturnType<typeof rejected>;

/**
 * Parses a text into the tokens of one document, and stops at the first limit that is exceeded. The composer of the
 * package, which turns tokens into a document, is recursive: a text that is nested deeply enough exhausts the stack in
 * the regular expression compiler of V8, which ends the process. The lexer and the parser are generators, and neither
 * reads on until its last result is consumed.
 */
export function yamlTokens({ CST, Lexer, Parser }: typeof Yaml, text: string): YamlTokens {
  const parser = new Parser();
  const tokens: Yaml.CST.Token[] = [];
  const counts = { lexemes: 0, anchors: 0, aliases: 0, directives: 0, documents: 0 };
  let previous = '';
  for (const lexeme of new Lexer().lex(text)) {
    if ((counts.lexemes += 1) > MAX_LEXEMES) return rejected('size');
    // The content of a scalar follows its mark, and may begin like an anchor or an alias.
    if (previous !== CST.SCALAR) {
      if (lexeme.startsWith('&') && (counts.anchors += 1) > MAX_ANCHORS) return rejected('alias');
      if (lexeme.startsWith('*') && (counts.aliases += 1) > MAX_ALIASES) return rejected('alias');
    }
    previous = lexeme;
    for (const token of parser.next(lexeme)) {
      const rejection = add(token);
      if (rejection) return rejection;
    }
    if (parser.stack.length > MAX_OPEN) return rejected('depth');
  }
  for (const token of parser.end()) {
    const rejection = add(token);
    if (rejection) return rejection;
  }
  return { ok: true, tokens };

  function add(token: Yaml.CST.Token): ReturnType<typeof rejected> | undefined {
    if (token.type === 'error') return rejected('yaml');
    if (token.type === 'document' && (counts.documents += 1) > 1) return rejected('yaml');
    if (token.type === 'directive' && (counts.directives += 1) > MAX_DIRECTIVES) return rejected('size');
    tokens.push(token);
    return undefined;
  }
}

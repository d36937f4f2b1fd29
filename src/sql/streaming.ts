/**
 * The statements that PostgreSQL does not have: the door to the parser that build.ts makes of grammar/streaming.peggy. Their
 * Postgres parts (queries, expressions, column lists) are handed to PostgreSQL's parser with everything else blanked out,
 * so that positions stay. Reached only for statements that PostgreSQL's parser refuses, and for SHOW of our objects.
 */

import { pathToFileURL } from 'node:url';
import { SqlError } from '../base/sql-error.ts';
import type { Expr, Query } from './ast.ts';
import type { Token } from './lexer.ts';
import type { Span } from './lift.ts';
import type { CreateTable, Statement } from './statements.ts';
import { columnsOf } from './streaming-columns.ts';
import { streamingParserPath } from './streaming-parser-path.ts';
import { TokenText } from './token-text.ts';

/** What the streaming grammar needs of PostgreSQL's parser; spans are places of the whole text. */
export interface PostgresParts {
  query(span: Span): Query;
  expr(span: Span): Expr;
  /** A name that is written U&"...". */
  name(span: Span): string;
  /** The value of a string with escapes; refuses bit strings. */
  string(span: Span): string;
  /** CREATE TABLE in `span` with `blanks` left out and `replace` as the word TABLE. */
  createTable(span: Span, blanks: readonly Span[], replace: Span | null): CreateTable;
  statement(span: Span): Statement;
}

/** What peggy makes: a statement's node, or for OursFirst whether it is one. */
interface GeneratedParser {
  parse(input: string, options: GrammarOptions): unknown;
  readonly SyntaxError: new (
    ...args: never[]
  ) => Error & { readonly location: { readonly start: { readonly offset: number } } };
}

interface GrammarOptions {
  readonly startRule?: 'Statement' | 'OursFirst';
  /** The grammar's actions use these by name. */
  readonly tokens: TokenText;
  readonly parts: PostgresParts | null;
  readonly columnsOf: typeof columnsOf;
}

let generated: GeneratedParser | null = null;

/** Loads the generated parser; parsing is synchronous afterwards. */
export async function loadStreamingParser(): Promise<void> {
  generated ??= (await import(pathToFileURL(streamingParserPath()).href)) as GeneratedParser;
}

/** Whether the statement is ours even though PostgreSQL would take it: SHOW of objects. */
export function isDialectFirst(tokens: readonly Token[]): boolean {
  if (tokens[0]?.text !== 'show') return false;
  const shown = new TokenText('', tokens.slice(0, 3));
  const options = { startRule: 'OursFirst', tokens: shown, parts: null, columnsOf } as const;
  return loaded().parse(shown.input, options) === true;
}

/** Parses a statement of the dialect; throws a syntax error at the first token that does not fit. */
export function parseStreaming(
  text: string,
  tokens: readonly Token[],
  parts: PostgresParts,
): Statement {
  const shown = new TokenText(text, tokens);
  try {
    return loaded().parse(shown.input, { tokens: shown, parts, columnsOf }) as Statement;
  } catch (error) {
    if (error instanceof SqlError) throw shown.ofWhole(error);
    if (!(error instanceof loaded().SyntaxError)) throw error;
    throw shown.error(error.location.start.offset);
  }
}

function loaded(): GeneratedParser {
  if (generated === null) throw new Error('loadParser() comes before parsing');
  return generated;
}

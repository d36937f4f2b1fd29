/**
 * Text -> statements. PostgreSQL's own parser (libpg-query, WebAssembly) takes what is PostgreSQL's; streaming clauses are
 * lifted out first (lift.ts), and statements that it refuses go to the streaming grammar (streaming.ts).
 */

import { loadModule, SqlError as PgError, parseSync } from 'libpg-query/wasm/index.js';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { currentThreadId } from '../base/threads.ts';
import { keepUnoptimized } from '../base/wasm-tiers.ts';
import { type AdaptContext, node, type Raw } from './adapt-context.ts';
import { adaptExpr } from './adapt-expr.ts';
import { adaptQuery } from './adapt-query.ts';
import { adaptStatement } from './adapt-statement.ts';
import type { Expr, Query } from './ast.ts';
import { splitStatements, type Token, tokenize } from './lexer.ts';
import { blankOut, type Lifted, lift, type Span } from './lift.ts';
import type { CreateTable, ParsedStatement, Statement } from './statements.ts';
import { isDialectFirst, loadStreamingParser, parseStreaming } from './streaming.ts';

/** Loads PostgreSQL's parser (WebAssembly) and ours; parsing is synchronous afterwards. */
export async function loadParser(): Promise<void> {
  await Promise.all([loadModule(), loadStreamingParser()]);
  // The first parse on the main thread, before there are others, settles how the large functions
  // are compiled; further threads share that code.
  if (currentThreadId() === 0) keepUnoptimized(() => parseSync('SELECT 1'));
}

/** The statements of `text`; empty ones are left out. Throws SqlError with a position. */
export function parseStatements(text: string): readonly ParsedStatement[] {
  if (text.includes('\0')) {
    throw new SqlError('22021', 'invalid byte sequence for encoding "UTF8": 0x00');
  }
  try {
    return splitStatements(tokenize(text)).map((tokens) => {
      const start = tokens[0]!.start;
      const end = tokens.at(-1)!.end;
      const ast = new StatementReader(text).statement(tokens);
      return node({
        ast: withQueryText(ast, text, tokens),
        text: text.slice(start, end),
        start,
        end,
      });
    });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new SqlError('54001', 'stack depth limit exceeded', {
        hint: 'The statement is nested too deeply.',
      });
    }
    throw error;
  }
}

/** An expression alone: a stored default, CHECK or generation expression. */
export function parseExpression(text: string): Expr {
  const reader = new StatementReader(text);
  return reader.expressions({ start: 0, end: text.length }, null)[0]!;
}

/** Cuts a CREATE VIEW's query out of the text (the streaming grammar has done it already where it parsed). */
function withQueryText(ast: Statement, text: string, tokens: readonly Token[]): Statement {
  if (
    (ast.kind !== 'create_view' && ast.kind !== 'create_materialized_view') ||
    ast.queryText !== ''
  ) {
    return ast;
  }
  let depth = 0;
  const as = tokens.findIndex((token) => {
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
    return (
      depth === 0 && token.type === 'word' && token.text === 'as' && token.start > ast.position
    );
  });
  const words = tokens.map((token) => token.text);
  let last = tokens.length;
  if (words.slice(-3).join(' ') === 'with no data') last -= 3;
  else if (words.slice(-2).join(' ') === 'with data') last -= 2;
  return node({ ...ast, queryText: text.slice(tokens[as + 1]!.start, tokens[last - 1]!.end) });
}

const SELECT = 'SELECT ';

/** Reads one statement of a text. */
class StatementReader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  statement(tokens: readonly Token[]): Statement {
    const lifted = lift(this.#text, tokens);
    if (isDialectFirst(tokens)) return this.#streaming(tokens, lifted);
    const span = { start: tokens[0]!.start, end: tokens.at(-1)!.end };
    let refusal: SqlError;
    try {
      const tree = parsePostgres(lifted.text.slice(span.start, span.end), span.start);
      const statement = adaptStatement(tree, this.#context(lifted, span, 0));
      this.#checkAllTaken(lifted);
      return statement;
    } catch (error) {
      if (!(error instanceof SqlError) || error.sqlstate !== '42601') throw error;
      refusal = error;
    }
    try {
      return this.#streaming(tokens, lift(this.#text, tokens));
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      const isFurther = (error.fields.position ?? -1) > (refusal.fields.position ?? -1);
      throw error.sqlstate !== '42601' || isFurther ? error : refusal;
    }
  }

  #streaming(tokens: readonly Token[], lifted: Lifted): Statement {
    const kept = tokens.filter((token) => lifted.text[token.start] !== ' ');
    const statement = parseStreaming(this.#text, kept, {
      query: (span) => this.#query(span, lifted),
      expr: (span) => this.expressions(span, lifted)[0]!,
      name: (span) => this.#name(span),
      string: (span) => this.#string(span),
      createTable: (span, blanks, replace) => this.#createTable(span, blanks, replace, lifted),
      statement: (span) => {
        const rest = tokens.filter((token) => token.start >= span.start);
        return withQueryText(new StatementReader(this.#text).statement(rest), this.#text, rest);
      },
    });
    if (statement.kind !== 'explain') this.#checkAllTaken(lifted);
    return statement;
  }

  #query(span: Span, lifted: Lifted): Query {
    const tree = parsePostgres(lifted.text.slice(span.start, span.end), span.start);
    const select = tree.SelectStmt;
    if (select === undefined)
      throw notSupported('a statement other than SELECT here', { position: span.start });
    return adaptQuery(select, this.#context(lifted, span, 0));
  }

  /** The expressions of a comma list. */
  expressions(span: Span, lifted: Lifted | null): readonly Expr[] {
    const clauses = lifted ?? nothingLifted(this.#text);
    const source = SELECT + clauses.text.slice(span.start, span.end);
    const tree = parsePostgres(source, span.start - SELECT.length);
    const select = tree.SelectStmt;
    const plain = ['targetList', 'limitOption', 'op'];
    if (select === undefined || Object.keys(select).some((key) => !plain.includes(key))) {
      throw new SqlError('42601', 'an expression is expected', { position: span.start });
    }
    const context = this.#context(clauses, span, SELECT.length);
    return select.targetList.map((item: Raw) => {
      if (item.ResTarget.name === undefined) return context.expr(item.ResTarget.val);
      throw new SqlError('42601', `syntax error at or near "${item.ResTarget.name}"`, {
        position: span.start,
      });
    });
  }

  #name(span: Span): string {
    const name = this.expressions(span, null)[0]!;
    if (name.kind === 'column_ref' && name.parts.length === 1) return name.parts[0]!;
    throw new SqlError('42601', 'a plain name is expected here', { position: span.start });
  }

  #string(span: Span): string {
    const value = this.expressions(span, null)[0]!;
    if (value.kind === 'literal' && value.type === 'string') return value.text;
    throw new SqlError('42601', 'a plain string is expected here', { position: span.start });
  }

  #createTable(
    span: Span,
    blanks: readonly Span[],
    replace: Span | null,
    lifted: Lifted,
  ): CreateTable {
    let text = blankOut(lifted.text, blanks);
    if (replace !== null) text = `${text.slice(0, replace.start)}TABLE ${text.slice(replace.end)}`;
    const tree = parsePostgres(text.slice(span.start, span.end), span.start);
    const table = adaptStatement(tree, this.#context(lifted, span, 0));
    if (table.kind !== 'create_table')
      throw notSupported('this form of CREATE', { position: span.start });
    return table;
  }

  #context(lifted: Lifted, span: Span, shift: number): AdaptContext {
    const segment = ' '.repeat(shift) + lifted.text.slice(span.start, span.end);
    const toUnits = byteToUnit(segment);
    const context: AdaptContext = {
      at: (location) => {
        if (location === undefined || location < 0) return span.start;
        return Math.max(span.start, toUnits(location) - shift + span.start);
      },
      lifted,
      text: this.#text,
      expr: (raw) => adaptExpr(raw, context),
      query: (raw) => adaptQuery(raw, context),
      liftedExpr: (place) => new StatementReader(this.#text).expressions(place, null)[0]!,
      liftedExprs: (place) => new StatementReader(this.#text).expressions(place, null),
    };
    return context;
  }

  /** A lifted clause that nothing in the tree took stood where it means nothing. */
  #checkAllTaken(lifted: Lifted): void {
    const left = [
      ...lifted.asOfJoins,
      ...lifted.systemTimes.keys(),
      ...lifted.sessionPartitions.keys(),
      ...lifted.sessionGaps.keys(),
    ];
    if (left.length === 0) return;
    const position = Math.min(...left);
    const word = tokenize(this.#text.slice(position, position + 200))[0];
    const shown = this.#text.slice(position, position + (word?.end ?? 1));
    throw new SqlError('42601', `syntax error at or near "${shown}"`, { position });
  }
}

function nothingLifted(text: string): Lifted {
  return {
    text,
    asOfJoins: new Set(),
    systemTimes: new Map(),
    sessionPartitions: new Map(),
    sessionGaps: new Map(),
    windowFunctions: new Set(),
  };
}

/** PostgreSQL's places are bytes of UTF-8; ours UTF-16 units. */
function byteToUnit(text: string): (byte: number) => number {
  if (!/[\u0080-\uffff]/.test(text)) return (byte) => byte;
  const units: number[] = [];
  for (let unit = 0; unit < text.length; ) {
    const code = text.codePointAt(unit)!;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let i = 0; i < bytes; i++) units.push(unit);
    unit += code < 0x10000 ? 1 : 2;
  }
  return (byte) => units[byte] ?? text.length;
}

/** SQLSTATE by the parser's wording: syntax errors but for these. */
const SQLSTATES: readonly (readonly [RegExp, string])[] = [
  [/^invalid Unicode escape|^invalid hexadecimal digit|^unsafe use of \\'/, '22025'],
  [/^invalid byte sequence|^invalid Unicode/, '22021'],
  [/^memory exhausted|^stack depth limit/, '54001'],
  [/not (yet )?(implemented|supported)|^unimplemented/i, '0A000'],
  [/precision|must be between/, '22023'],
];

/** The raw tree of one statement, unwrapped to {SelectStmt: ...}. */
function parsePostgres(text: string, base: number): Raw {
  try {
    const parsed = parseSync(text) as Raw;
    const statements = parsed.stmts ?? [];
    if (statements.length === 1) return statements[0].stmt;
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    const state = SQLSTATES.find(([pattern]) => pattern.test(error.message))?.[1] ?? '42601';
    const characters = error.sqlDetails?.cursorPosition ?? 0;
    throw new SqlError(state, error.message, {
      position: base + characterToUnit(text, characters),
    });
  }
  throw new SqlError('42601', 'syntax error at end of input', { position: base + text.length });
}

/** PostgreSQL's error places are characters (code points). */
function characterToUnit(text: string, characters: number): number {
  let unit = 0;
  for (let i = 0; i < characters && unit < text.length; i++) {
    unit += text.codePointAt(unit)! < 0x10000 ? 1 : 2;
  }
  return unit;
}

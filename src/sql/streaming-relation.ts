/**
 * CREATE SOURCE and CREATE TABLE with streaming clauses: WATERMARK elements, `AS (expr)` of columns and the tail (APPEND
 * ONLY, ON CONFLICT, INCLUDE, WITH, FORMAT) are taken out; what remains is PostgreSQL's CREATE TABLE.
 */

import { node } from './adapt-context.ts';
import type { Span } from './lift.ts';
import type {
  ColumnDefinition,
  CreateTable,
  Statement,
  WatermarkDefinition,
} from './statements.ts';
import type { PostgresParts } from './streaming.ts';
import { parseFormat, parseInclude, parseOptions } from './streaming-clauses.ts';
import type { TokenCursor } from './token-cursor.ts';

interface Elements {
  readonly blanks: Span[];
  readonly watermarks: WatermarkDefinition[];
  /** Generation expressions, by the place of the column's name. */
  readonly generated: Map<number, Span>;
  /** Columns without a type: `day AS (expr)`. */
  readonly untyped: ColumnDefinition[];
}

export function parseRelation(
  cursor: TokenCursor,
  parts: PostgresParts,
  isTemporary: boolean,
): Statement {
  const kind = cursor.tokens[cursor.index]!;
  const isSource = kind.text === 'source';
  cursor.index++;
  const ifNotExists = cursor.take('if', 'not', 'exists');
  const name = cursor.qualifiedName();
  const elements: Elements = { blanks: [], watermarks: [], generated: new Map(), untyped: [] };
  const start = cursor.tokens[0]!.start;
  let table: CreateTable | null = null;
  const hasColumns = cursor.sees('(');
  if (hasColumns) parseElements(cursor, parts, elements);
  const end = cursor.tokens[cursor.index - 1]!.end;
  const tail = parseTail(cursor, isSource);
  cursor.expectEnd();
  if (hasColumns) {
    table = parts.createTable({ start, end }, elements.blanks, isSource ? kind : null);
  }
  const columns = mergeColumns(table?.columns ?? [], elements, parts);
  const common = {
    position: name.position,
    name,
    ifNotExists,
    columns,
    constraints: table?.constraints ?? [],
    watermarks: elements.watermarks,
    include: tail.include,
    options: tail.options,
    format: tail.format,
  };
  if (isSource) return node({ kind: 'create_source', ...common });
  const { isAppendOnly, onConflict } = tail;
  return node({ kind: 'create_table', ...common, isTemporary, isAppendOnly, onConflict });
}

function parseTail(cursor: TokenCursor, isSource: boolean) {
  const isAppendOnly = !isSource && cursor.take('append', 'only');
  let onConflict: CreateTable['onConflict'] = null;
  if (!isSource && cursor.take('on', 'conflict')) {
    if (cursor.take('overwrite')) onConflict = 'overwrite';
    else if (cursor.take('do', 'nothing')) onConflict = 'do_nothing';
    else {
      cursor.expect('do', 'update', 'if', 'not', 'null');
      onConflict = 'do_update_if_not_null';
    }
  }
  const include = parseInclude(cursor);
  const options = cursor.take('with') ? parseOptions(cursor) : [];
  const format = cursor.sees('format') ? parseFormat(cursor) : null;
  return {
    isAppendOnly: isAppendOnly || (!isSource && cursor.take('append', 'only')),
    onConflict,
    include,
    options,
    format,
  };
}

function parseElements(cursor: TokenCursor, parts: PostgresParts, elements: Elements): void {
  cursor.expect('(');
  let isFirstKept = true;
  let pendingComma: Span | null = null;
  if (cursor.take(')')) return;
  for (;;) {
    const from = cursor.index;
    const span = cursor.span((i) => cursor.tokens[i]!.text === ',');
    const isTaken = takeElement(cursor, from, span, parts, elements);
    // A comma stays only between two elements that stay.
    if (pendingComma !== null && (isTaken || isFirstKept)) elements.blanks.push(pendingComma);
    if (!isTaken) isFirstKept = false;
    const comma = cursor.tokens[cursor.index];
    if (!cursor.take(',')) break;
    pendingComma = comma ?? null;
  }
  cursor.expect(')');
}

/** Whether the element was taken out whole. */
function takeElement(
  cursor: TokenCursor,
  from: number,
  span: Span,
  parts: PostgresParts,
  elements: Elements,
): boolean {
  const end = cursor.index;
  cursor.index = from;
  try {
    if (cursor.take('watermark', 'for')) {
      const position = span.start;
      const column = cursor.identifier();
      cursor.expect('as');
      const first = cursor.tokens[cursor.index];
      if (first === undefined || cursor.index >= end) throw cursor.error();
      const expr = parts.expr({ start: first.start, end: span.end });
      elements.watermarks.push(node({ kind: 'watermark', position, column, expr }));
      elements.blanks.push(span);
      return true;
    }
    return takeGenerated(cursor, from, end, span, parts, elements);
  } finally {
    cursor.index = end;
  }
}

/** `day DATE AS (expr)`, `day AS (expr)`: an AS outside parentheses that GENERATED ALWAYS does not precede. */
function takeGenerated(
  cursor: TokenCursor,
  from: number,
  end: number,
  span: Span,
  parts: PostgresParts,
  elements: Elements,
): boolean {
  for (let i = from + 1; i < end; i++) {
    const token = cursor.tokens[i]!;
    if (token.text === '(') i = cursor.closing(i);
    else if (
      token.type === 'word' &&
      token.text === 'as' &&
      cursor.tokens[i - 1]!.text !== 'always'
    ) {
      const open = i + 1;
      if (cursor.tokens[open]?.text !== '(') return false;
      const close = cursor.closing(open);
      const expr = { start: cursor.tokens[open]!.start, end: cursor.tokens[close]!.end };
      if (i === from + 1) {
        if (close !== end - 1) {
          cursor.index = close + 1;
          throw cursor.error();
        }
        cursor.index = from;
        elements.untyped.push(untypedColumn(cursor.identifier(), span.start, parts, expr));
        elements.blanks.push(span);
        return true;
      }
      elements.generated.set(span.start, expr);
      elements.blanks.push({ start: token.start, end: expr.end });
      return false;
    }
  }
  return false;
}

function untypedColumn(
  name: string,
  position: number,
  parts: PostgresParts,
  expr: Span,
): ColumnDefinition {
  return node({
    kind: 'column_definition',
    position,
    name,
    type: null,
    isNotNull: false,
    default: null,
    generated: parts.expr(expr),
    identity: null,
    collation: null,
    constraints: [],
  });
}

function mergeColumns(
  columns: readonly ColumnDefinition[],
  elements: Elements,
  parts: PostgresParts,
): ColumnDefinition[] {
  const typed = columns.map((column) => {
    const expr = elements.generated.get(column.position);
    return expr === undefined ? column : node({ ...column, generated: parts.expr(expr) });
  });
  return [...typed, ...elements.untyped].sort((a, b) => a.position - b.position);
}

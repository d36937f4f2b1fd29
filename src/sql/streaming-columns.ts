/**
 * The columns of CREATE SOURCE and of CREATE TABLE with streaming clauses: WATERMARK elements and `AS (expr)` of columns are
 * blanked out, what remains is PostgreSQL's CREATE TABLE, and both are put together in the order written.
 */

import { node } from './adapt-context.ts';
import type { Expr } from './ast.ts';
import type { Span } from './lift.ts';
import type { ColumnDefinition, CreateTable, WatermarkDefinition } from './statements.ts';
import type { PostgresParts } from './streaming.ts';

/** One element of the list, as the grammar reads it; `comma` is the one before it. */
export type Element = { readonly span: Span; readonly comma: Span | null } & (
  | { readonly type: 'plain' }
  | { readonly type: 'watermark'; readonly watermark: WatermarkDefinition }
  /** A column without a type: `day AS (expr)`. */
  | { readonly type: 'untyped'; readonly name: string; readonly generated: Expr }
  /** `day date AS (expr)`: from AS to the closing parenthesis. */
  | { readonly type: 'generated'; readonly clause: Span; readonly expr: Span }
);

export interface Elements {
  readonly items: readonly Element[];
  /** Behind the closing parenthesis. */
  readonly end: number;
}

/**
 * What CREATE TABLE or CREATE SOURCE defines. `create` is the word CREATE; `replaced`, a word that becomes TABLE for
 * PostgreSQL's parser. Throws that parser's errors.
 */
export function columnsOf(
  parts: PostgresParts,
  create: Span,
  elements: Elements | null,
  replaced: Span | null,
): Pick<CreateTable, 'columns' | 'constraints' | 'watermarks'> {
  if (elements === null) return { columns: [], constraints: [], watermarks: [] };
  const { items, end } = elements;
  const span = { start: create.start, end };
  const table = parts.createTable(span, blanksOf(items), replaced);
  const watermarks = items.flatMap((item) => (item.type === 'watermark' ? [item.watermark] : []));
  return { columns: columns(parts, table, items), constraints: table.constraints, watermarks };
}

/** What PostgreSQL's parser must not see. A comma stays only between two elements that stay. */
function blanksOf(items: readonly Element[]): Span[] {
  const blanks: Span[] = [];
  let isFirstKept = true;
  for (const item of items) {
    const isTaken = item.type === 'watermark' || item.type === 'untyped';
    if (item.comma !== null && (isTaken || isFirstKept)) blanks.push(item.comma);
    if (isTaken) blanks.push(item.span);
    else isFirstKept = false;
    if (item.type === 'generated') blanks.push(item.clause);
  }
  return blanks;
}

function columns(
  parts: PostgresParts,
  table: CreateTable,
  items: readonly Element[],
): ColumnDefinition[] {
  const expressions = new Map(
    items.flatMap((item) => (item.type === 'generated' ? [[item.span.start, item.expr]] : [])),
  );
  const typed = table.columns.map((column) => {
    const expr = expressions.get(column.position);
    return expr === undefined ? column : node({ ...column, generated: parts.expr(expr) });
  });
  const untyped = items.flatMap((item) =>
    item.type === 'untyped' ? [untypedColumn(item.span.start, item.name, item.generated)] : [],
  );
  return [...typed, ...untyped].sort((a, b) => a.position - b.position);
}

function untypedColumn(position: number, name: string, generated: Expr): ColumnDefinition {
  return node({
    kind: 'column_definition',
    position,
    name,
    type: null,
    isNotNull: false,
    default: null,
    generated,
    identity: null,
    collation: null,
    constraints: [],
  });
}

/**
 * AST -> SQL text that parses to the same AST (places aside). Operands that are not plain are parenthesised, so that no
 * precedence has to be known.
 */

import { unreachable } from '../base/assert.ts';
import type {
  Expr,
  FrameBound,
  FunctionCall,
  GroupingElement,
  Literal,
  QualifiedName,
  Query,
  Select,
  SelectItem,
  SortKey,
  TableAlias,
  TableRef,
  TypeName,
  ValueFunction,
  WindowSpec,
} from './ast.ts';

/** A name, quoted unless it is a plain lower-case word that no keyword can be taken for. */
export function deparseIdentifier(name: string): string {
  return PLAIN.test(name) && !QUOTED_WORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const PLAIN = /^[a-z_][a-z0-9_]*$/;

/** PostgreSQL's reserved words and those that are not plain column, table or function names; and our own clauses' words. */
const QUOTED_WORDS = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast
  char character check coalesce collate collation column concurrently constraint create cross current_catalog
  current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable
  desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group
  grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array
  json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value
  lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize not
  notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real
  references returning right row select session_user setof similar smallint some substring symmetric system_user table
  tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose
  when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
  xmlserialize xmltable asof emit watermark subscribe tumble hop cumulate session over filter within`.split(
    /\s+/,
  ),
);

export function deparseName(name: QualifiedName): string {
  return name.parts.map(deparseIdentifier).join('.');
}

/** A string constant. */
export function deparseString(text: string): string {
  const quoted = text.replaceAll("'", "''");
  return text.includes('\\') ? `E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

// ---------------------------------------------------------------------------------------------- expressions

const SIMPLE = new Set([
  'column_ref',
  'parameter',
  'function_call',
  'value_function',
  'array',
  'scalar_subquery',
  'exists',
  'array_subquery',
  'coalesce',
  'greatest',
  'least',
  'nullif',
  'grouping',
  'case',
  'default',
  'star',
]);

/** An operand: in parentheses unless nothing can bind tighter. */
function operand(expr: Expr): string {
  const text = deparseExpr(expr);
  if (expr.kind === 'literal') return text.startsWith('-') ? `(${text})` : text;
  if (expr.kind === 'function_call' && expr.syntax === 'sql') return `(${text})`;
  if (expr.kind === 'row') return text;
  if (expr.kind === 'cast' && intervalLiteral(expr) !== null) return text;
  return SIMPLE.has(expr.kind) ? text : `(${text})`;
}

function list(exprs: readonly Expr[]): string {
  return exprs.map(deparseExpr).join(', ');
}

function operatorText(name: string, schema: string | null): string {
  return schema === null ? name : `OPERATOR(${deparseIdentifier(schema)}.${name})`;
}

const not = (isNegated: boolean) => (isNegated ? 'NOT ' : '');

export function deparseExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'literal':
      return literal(expr);
    case 'column_ref':
      return expr.parts.map(deparseIdentifier).join('.');
    case 'star':
      return [...expr.qualifier.map(deparseIdentifier), '*'].join('.');
    case 'parameter':
      return `$${expr.number}`;
    case 'operator': {
      const name = operatorText(expr.name, expr.schema);
      const right = operand(expr.right);
      return expr.left === null ? `${name} ${right}` : `${operand(expr.left)} ${name} ${right}`;
    }
    case 'and':
    case 'or':
      return expr.operands.map(operand).join(` ${expr.kind.toUpperCase()} `);
    case 'not':
      return `NOT ${operand(expr.operand)}`;
    case 'is_null':
      return `${operand(expr.operand)} IS ${not(expr.isNegated)}NULL`;
    case 'boolean_test':
      return `${operand(expr.operand)} IS ${not(expr.isNegated)}${expr.test.toUpperCase()}`;
    case 'is_distinct':
      return `${operand(expr.left)} IS ${not(expr.isNegated)}DISTINCT FROM ${operand(expr.right)}`;
    case 'in_list':
      return `${operand(expr.operand)} ${not(expr.isNegated)}IN (${list(expr.items)})`;
    case 'quantified_array':
    case 'quantified_subquery':
      return quantified(expr);
    case 'between': {
      const symmetric = expr.isSymmetric ? 'SYMMETRIC ' : '';
      const range = `${symmetric}${operand(expr.low)} AND ${operand(expr.high)}`;
      return `${operand(expr.operand)} ${not(expr.isNegated)}BETWEEN ${range}`;
    }
    case 'like': {
      const word = expr.matcher === 'similar' ? 'SIMILAR TO' : expr.matcher.toUpperCase();
      const escaping = expr.escape === null ? '' : ` ESCAPE ${operand(expr.escape)}`;
      return `${operand(expr.operand)} ${not(expr.isNegated)}${word} ${operand(expr.pattern)}${escaping}`;
    }
    default:
      return deparseForm(expr);
  }
}

type Form = Exclude<
  Expr,
  {
    kind:
      | 'literal'
      | 'column_ref'
      | 'star'
      | 'parameter'
      | 'operator'
      | 'and'
      | 'or'
      | 'not'
      | 'is_null'
      | 'boolean_test'
      | 'is_distinct'
      | 'in_list'
      | 'quantified_array'
      | 'quantified_subquery'
      | 'between'
      | 'like';
  }
>;

/** The forms that are written like calls. */
function deparseForm(expr: Form): string {
  switch (expr.kind) {
    case 'case': {
      const branches = expr.branches.map(
        (branch) => ` WHEN ${deparseExpr(branch.when)} THEN ${deparseExpr(branch.then)}`,
      );
      const tested = expr.operand === null ? '' : ` ${operand(expr.operand)}`;
      const otherwise = expr.otherwise === null ? '' : ` ELSE ${deparseExpr(expr.otherwise)}`;
      return `CASE${tested}${branches.join('')}${otherwise} END`;
    }
    case 'coalesce':
    case 'greatest':
    case 'least':
    case 'nullif':
    case 'grouping':
      return `${expr.kind.toUpperCase()}(${list(expr.args)})`;
    case 'cast':
      return cast(expr);
    case 'function_call':
      return functionCall(expr);
    case 'value_function':
      return valueFunction(expr);
    case 'array':
      return `ARRAY[${list(expr.elements)}]`;
    case 'row':
      return `ROW(${list(expr.elements)})`;
    case 'subscript': {
      const bound = (side: Expr | null) => (side === null ? '' : deparseExpr(side));
      const inside = expr.isSlice ? `${bound(expr.lower)}:${bound(expr.upper)}` : bound(expr.upper);
      return `(${deparseExpr(expr.operand)})[${inside}]`;
    }
    case 'field':
      return `(${deparseExpr(expr.operand)}).${deparseIdentifier(expr.field)}`;
    case 'scalar_subquery':
      return `(${deparseQuery(expr.query)})`;
    case 'exists':
      return `EXISTS (${deparseQuery(expr.query)})`;
    case 'array_subquery':
      return `ARRAY(${deparseQuery(expr.query)})`;
    case 'in_subquery':
      return `${operand(expr.operand)} ${not(expr.isNegated)}IN (${deparseQuery(expr.query)})`;
    case 'collate':
      return `${operand(expr.operand)} COLLATE ${deparseName(expr.collation)}`;
    case 'default':
      return 'DEFAULT';
    default:
      return unreachable(expr);
  }
}

function literal(expr: Literal): string {
  if (expr.type === 'null') return 'NULL';
  if (expr.type === 'string') return deparseString(expr.text);
  if (expr.type === 'bit') return `${expr.text[0]!.toUpperCase()}'${expr.text.slice(1)}'`;
  return expr.text;
}

function quantified(
  expr: Extract<Expr, { kind: 'quantified_array' | 'quantified_subquery' }>,
): string {
  const of = expr.kind === 'quantified_array' ? deparseExpr(expr.array) : deparseQuery(expr.query);
  const name = operatorText(expr.operator, expr.schema);
  return `${operand(expr.operand)} ${name} ${expr.quantifier.toUpperCase()} (${of})`;
}

function valueFunction(expr: ValueFunction): string {
  const precision = expr.precision === null ? '' : `(${expr.precision})`;
  return `${expr.name.toUpperCase()}${precision}`;
}

/** Calls of SQL's own syntax are written as plain calls of pg_catalog's function, quoted: they mean the same. */
function functionCall(call: FunctionCall): string {
  const isSql = call.syntax === 'sql' && call.name.parts.length > 1;
  const name = isSql
    ? call.name.parts.map((part) => `"${part}"`).join('.')
    : deparseName(call.name);
  const args = call.args.map((arg, i) => {
    const prefix = call.isVariadic && i === call.args.length - 1 ? 'VARIADIC ' : '';
    const label = arg.name === null ? '' : `${deparseIdentifier(arg.name)} => `;
    return `${prefix}${label}${deparseExpr(arg.value)}`;
  });
  const order = call.orderBy.length > 0 ? `ORDER BY ${sortKeys(call.orderBy)}` : '';
  let inside = `${call.isDistinct ? 'DISTINCT ' : ''}${call.isStar ? '*' : args.join(', ')}`;
  if (!call.isWithinGroup && order !== '') inside += ` ${order}`;
  let text = `${name}(${inside})`;
  if (call.isWithinGroup) text += ` WITHIN GROUP (${order})`;
  if (call.filter !== null) text += ` FILTER (WHERE ${deparseExpr(call.filter)})`;
  if (call.over === null) return text;
  if (call.over.isPlainReference) return `${text} OVER ${deparseIdentifier(call.over.reference!)}`;
  return `${text} OVER (${windowSpec(call.over)})`;
}

function windowSpec(spec: WindowSpec): string {
  const parts: string[] = [];
  if (spec.reference !== null) parts.push(deparseIdentifier(spec.reference));
  if (spec.partitionBy.length > 0) parts.push(`PARTITION BY ${list(spec.partitionBy)}`);
  if (spec.orderBy.length > 0) parts.push(`ORDER BY ${sortKeys(spec.orderBy)}`);
  if (spec.frame !== null) {
    const { mode, start, end, exclusion } = spec.frame;
    let frame = `${mode.toUpperCase()} BETWEEN ${frameBound(start)} AND ${frameBound(end)}`;
    if (exclusion !== 'none') frame += ` EXCLUDE ${exclusion.replace('_', ' ').toUpperCase()}`;
    parts.push(frame);
  }
  if (spec.sessionGap !== null) parts.push(`SESSION WITH GAP ${deparseExpr(spec.sessionGap)}`);
  return parts.join(' ');
}

function frameBound(bound: FrameBound): string {
  if (bound.kind === 'preceding' || bound.kind === 'following') {
    return `${operand(bound.offset)} ${bound.kind.toUpperCase()}`;
  }
  return bound.kind.replace('_', ' ').toUpperCase();
}

function sortKeys(keys: readonly SortKey[]): string {
  return keys
    .map((key) => {
      const direction = key.direction === 'desc' ? ' DESC' : '';
      const nulls = key.nulls === null ? '' : ` NULLS ${key.nulls.toUpperCase()}`;
      return deparseExpr(key.expr) + direction + nulls;
    })
    .join(', ');
}

const INTERVAL_MASKS: Readonly<Record<number, string>> = {
  2: 'MONTH',
  4: 'YEAR',
  6: 'YEAR TO MONTH',
  8: 'DAY',
  1024: 'HOUR',
  2048: 'MINUTE',
  4096: 'SECOND',
  1032: 'DAY TO HOUR',
  3080: 'DAY TO MINUTE',
  7176: 'DAY TO SECOND',
  3072: 'HOUR TO MINUTE',
  7168: 'HOUR TO SECOND',
  6144: 'MINUTE TO SECOND',
};

type Cast = Extract<Expr, { kind: 'cast' }>;

function cast(expr: Cast): string {
  return (
    intervalLiteral(expr) ?? `CAST(${deparseExpr(expr.operand)} AS ${deparseTypeName(expr.type)})`
  );
}

/** SQL's own name of PostgreSQL's type interval. */
function isInterval(type: TypeName): boolean {
  return type.names.length === 2 && type.names.join('.') === 'pg_catalog.interval';
}

/** `INTERVAL '1 minute'`, `INTERVAL '1' MINUTE`, as people write it; null: the cast is none of these. */
function intervalLiteral({ operand: value, type }: Cast): string | null {
  if (value.kind !== 'literal' || value.type !== 'string') return null;
  if (!isInterval(type) || type.arrayDimensions > 0 || type.isSetOf) return null;
  const [mask, precision] = type.modifiers;
  const digits = precision === undefined ? '' : `(${precision})`;
  if (mask === undefined) return `INTERVAL ${literal(value)}`;
  const fields = INTERVAL_MASKS[mask];
  if (fields === undefined) return `INTERVAL${digits} ${literal(value)}`;
  return `INTERVAL ${literal(value)} ${fields}${digits}`;
}

export function deparseTypeName(type: TypeName): string {
  const array = '[]'.repeat(type.arrayDimensions);
  const setOf = type.isSetOf ? 'SETOF ' : '';
  if (isInterval(type)) {
    const [mask, precision] = type.modifiers;
    const digits = precision === undefined ? '' : `(${precision})`;
    const fields = mask === undefined ? undefined : INTERVAL_MASKS[mask];
    const text = fields === undefined ? `interval${digits}` : `interval ${fields}${digits}`;
    return setOf + text + array;
  }
  const modifiers = type.modifiers.length > 0 ? `(${type.modifiers.join(', ')})` : '';
  return setOf + type.names.map(deparseIdentifier).join('.') + modifiers + array;
}

// ---------------------------------------------------------------------------------------------- queries

export function deparseQuery(query: Query): string {
  const parts: string[] = [];
  if (query.with !== null) {
    const tables = query.with.tables.map((table) => {
      const columns = columnList(table.columns);
      const hint =
        table.isMaterialized === null ? '' : `${not(!table.isMaterialized)}MATERIALIZED `;
      return `${deparseIdentifier(table.name)}${columns} AS ${hint}(${deparseQuery(table.query)})`;
    });
    parts.push(`WITH ${query.with.isRecursive ? 'RECURSIVE ' : ''}${tables.join(', ')}`);
  }
  parts.push(queryBody(query));
  if (query.orderBy.length > 0) parts.push(`ORDER BY ${sortKeys(query.orderBy)}`);
  if (query.offset !== null) parts.push(`OFFSET ${operand(query.offset)}`);
  if (query.limit !== null) {
    const limit = operand(query.limit);
    parts.push(query.isWithTies ? `FETCH FIRST ${limit} ROWS WITH TIES` : `LIMIT ${limit}`);
  }
  if (query.isLocking) parts.push('FOR UPDATE');
  return parts.join(' ');
}

function queryBody({ body }: Query): string {
  switch (body.kind) {
    case 'select':
      return select(body);
    case 'values':
      return `VALUES ${body.rows.map((row) => `(${list(row)})`).join(', ')}`;
    case 'set_operation': {
      const word = `${body.operator.toUpperCase()}${body.isAll ? ' ALL' : ''}`;
      return `(${deparseQuery(body.left)}) ${word} (${deparseQuery(body.right)})`;
    }
    default:
      return unreachable(body);
  }
}

function select(body: Select): string {
  const parts = ['SELECT'];
  if (body.distinct !== null) {
    parts.push(
      body.distinct.on.length > 0 ? `DISTINCT ON (${list(body.distinct.on)})` : 'DISTINCT',
    );
  }
  if (body.items.length > 0) parts.push(body.items.map(selectItem).join(', '));
  if (body.from.length > 0) parts.push(`FROM ${body.from.map(tableRef).join(', ')}`);
  if (body.where !== null) parts.push(`WHERE ${deparseExpr(body.where)}`);
  if (body.groupBy.length > 0) {
    const distinct = body.isGroupByDistinct ? 'DISTINCT ' : '';
    parts.push(`GROUP BY ${distinct}${body.groupBy.map(grouping).join(', ')}`);
  }
  if (body.having !== null) parts.push(`HAVING ${deparseExpr(body.having)}`);
  if (body.windows.length > 0) {
    const windows = body.windows.map(
      (w) => `${deparseIdentifier(w.name)} AS (${windowSpec(w.spec)})`,
    );
    parts.push(`WINDOW ${windows.join(', ')}`);
  }
  return parts.join(' ');
}

function selectItem(item: SelectItem): string {
  const alias = item.alias === null ? '' : ` AS ${deparseIdentifier(item.alias)}`;
  return deparseExpr(item.expr) + alias;
}

function grouping(element: GroupingElement): string {
  if (element.kind === 'group_expr') return deparseExpr(element.expr);
  if (element.kind === 'group_empty') return '()';
  const word = element.kind.replace('_', ' ').toUpperCase();
  return `${word} (${element.items.map(grouping).join(', ')})`;
}

function columnList(columns: readonly string[]): string {
  return columns.length === 0 ? '' : ` (${columns.map(deparseIdentifier).join(', ')})`;
}

function aliasText(alias: TableAlias | null): string {
  return alias === null ? '' : ` AS ${deparseIdentifier(alias.name)}${columnList(alias.columns)}`;
}

function tableRef(ref: TableRef): string {
  switch (ref.kind) {
    case 'table_name': {
      const asOf = ref.asOf === null ? '' : ` FOR SYSTEM_TIME AS OF ${deparseExpr(ref.asOf)}`;
      return deparseName(ref.name) + asOf + aliasText(ref.alias);
    }
    case 'derived_table':
      return `${ref.isLateral ? 'LATERAL ' : ''}(${deparseQuery(ref.query)})${aliasText(ref.alias)}`;
    case 'table_function':
      return tableFunction(ref);
    case 'window_function': {
      const partition = ref.partitionBy.length > 0 ? ` PARTITION BY ${list(ref.partitionBy)}` : '';
      const args = [deparseExpr(ref.timeColumn), ...ref.args.map(deparseExpr)].join(', ');
      return `${ref.function.toUpperCase()}(${tableRef(ref.input)}${partition}, ${args})${aliasText(ref.alias)}`;
    }
    case 'join':
      return join(ref);
    default:
      return unreachable(ref);
  }
}

function tableFunction(ref: Extract<TableRef, { kind: 'table_function' }>): string {
  const definitions = (columns: typeof ref.columns) =>
    columns.map((c) => `${deparseIdentifier(c.name)} ${deparseTypeName(c.type)}`).join(', ');
  const calls = ref.functions.map((item) => {
    const columns = item.columns.length > 0 ? ` AS (${definitions(item.columns)})` : '';
    return deparseExpr(item.call) + columns;
  });
  let text = ref.isRowsFrom ? `ROWS FROM (${calls.join(', ')})` : calls[0]!;
  if (ref.isLateral) text = `LATERAL ${text}`;
  if (ref.withOrdinality) text += ' WITH ORDINALITY';
  if (ref.columns.length === 0) return text + aliasText(ref.alias);
  const name = ref.alias === null ? '' : ` ${deparseIdentifier(ref.alias.name)}`;
  return `${text} AS${name} (${definitions(ref.columns)})`;
}

function join(ref: Extract<TableRef, { kind: 'join' }>): string {
  const natural = ref.isNatural ? 'NATURAL ' : '';
  const asOf = ref.isAsOf ? 'ASOF ' : '';
  const word = ref.type === 'inner' ? 'JOIN' : `${ref.type.toUpperCase()} JOIN`;
  const right =
    ref.right.kind === 'join' && ref.right.alias === null
      ? `(${tableRef(ref.right)})`
      : tableRef(ref.right);
  let text = `${tableRef(ref.left)} ${natural}${asOf}${word} ${right}`;
  if (ref.using !== null) text += ` USING (${ref.using.map(deparseIdentifier).join(', ')})`;
  if (ref.on !== null) text += ` ON ${deparseExpr(ref.on)}`;
  return ref.alias === null ? text : `(${text})${aliasText(ref.alias)}`;
}

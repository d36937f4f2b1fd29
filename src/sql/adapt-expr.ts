/** Expressions of libpg-query's tree -> ours. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import { type AdaptContext, node, type Raw, strings, unwrap } from './adapt-context.ts';
import type {
  Expr,
  FrameBound,
  FunctionCall,
  Literal,
  SortKey,
  TypeName,
  ValueFunction,
  WindowFrame,
  WindowSpec,
} from './ast.ts';

type ExprAdapter = (raw: Raw, context: AdaptContext) => Expr;

const ADAPTERS: Readonly<Record<string, ExprAdapter>> = {
  A_Const: adaptConstant,
  ColumnRef: adaptColumnRef,
  ParamRef: (raw, c) =>
    node({ kind: 'parameter', position: c.at(raw.location), number: raw.number ?? 0 }),
  A_Expr: adaptOperator,
  BoolExpr: adaptLogical,
  NullTest: (raw, c) => {
    const operand = c.expr(raw.arg);
    const position = raw.location === -1 ? operand.position : c.at(raw.location);
    return node({
      kind: 'is_null',
      position,
      operand,
      isNegated: raw.nulltesttype === 'IS_NOT_NULL',
    });
  },
  BooleanTest: adaptBooleanTest,
  SubLink: adaptSubLink,
  CaseExpr: adaptCase,
  CoalesceExpr: (raw, c) =>
    node({ kind: 'coalesce', position: c.at(raw.location), args: raw.args.map(c.expr) }),
  MinMaxExpr: (raw, c) =>
    node({
      kind: raw.op === 'IS_LEAST' ? 'least' : 'greatest',
      position: c.at(raw.location),
      args: raw.args.map(c.expr),
    }),
  TypeCast: adaptCast,
  FuncCall: adaptFunctionCall,
  SQLValueFunction: adaptValueFunction,
  A_ArrayExpr: (raw, c) =>
    node({
      kind: 'array',
      position: c.at(raw.location),
      elements: (raw.elements ?? []).map(c.expr),
    }),
  RowExpr: (raw, c) =>
    node({ kind: 'row', position: c.at(raw.location), elements: (raw.args ?? []).map(c.expr) }),
  A_Indirection: adaptIndirection,
  CollateClause: (raw, c) =>
    node({
      kind: 'collate',
      position: c.at(raw.location),
      operand: c.expr(raw.arg),
      collation: node({
        kind: 'qualified_name',
        position: c.at(raw.location),
        parts: strings(raw.collname),
      }),
    }),
  GroupingFunc: (raw, c) =>
    node({ kind: 'grouping', position: c.at(raw.location), args: raw.args.map(c.expr) }),
  SetToDefault: (raw, c) => node({ kind: 'default', position: c.at(raw.location) }),
};

const UNSUPPORTED: Readonly<Record<string, string>> = {
  XmlExpr: 'XML',
  XmlSerialize: 'XML',
  CurrentOfExpr: 'WHERE CURRENT OF',
  JsonObjectConstructor: 'JSON_OBJECT()',
  JsonArrayConstructor: 'JSON_ARRAY()',
  JsonArrayQueryConstructor: 'JSON_ARRAY()',
  JsonIsPredicate: 'IS JSON',
  JsonFuncExpr: 'a SQL/JSON query function',
  JsonParseExpr: 'JSON()',
  JsonScalarExpr: 'JSON_SCALAR()',
  JsonSerializeExpr: 'JSON_SERIALIZE()',
  MergeSupportFunc: 'MERGE_ACTION()',
};

export function adaptExpr(raw: Raw, context: AdaptContext): Expr {
  const [kind, body] = unwrap(raw);
  const adapter = ADAPTERS[kind];
  if (adapter !== undefined) return adapter(body, context);
  throw notSupported(UNSUPPORTED[kind] ?? kind, { position: context.at(body?.location) });
}

function adaptConstant(raw: Raw, context: AdaptContext): Literal {
  const position = context.at(raw.location);
  const literal = (type: Literal['type'], text: string): Literal =>
    node({ kind: 'literal', position, type, text });
  if (raw.isnull) return literal('null', '');
  if (raw.ival !== undefined) return literal('integer', String(raw.ival.ival ?? 0));
  if (raw.fval !== undefined) return literal('numeric', numberText(raw.fval.fval ?? '0'));
  if (raw.boolval !== undefined) return literal('boolean', raw.boolval.boolval ? 'true' : 'false');
  if (raw.bsval !== undefined) return literal('bit', raw.bsval.bsval ?? '');
  return literal('string', raw.sval?.sval ?? '');
}

/** 1_000.5 -> 1000.5; 0xFF... -> decimal. */
function numberText(text: string): string {
  const plain = text.replaceAll('_', '');
  return /^-?0[xob]/i.test(plain)
    ? (plain.startsWith('-') ? '-' : '') + BigInt(plain.replace('-', '')).toString()
    : plain;
}

function adaptColumnRef(raw: Raw, context: AdaptContext): Expr {
  const position = context.at(raw.location);
  const last = raw.fields.at(-1);
  if (last.A_Star !== undefined) {
    return node({ kind: 'star', position, qualifier: strings(raw.fields.slice(0, -1)) });
  }
  const parts = strings(raw.fields);
  if (parts.length > 4) {
    const message = `improper qualified name (too many dotted names): ${parts.join('.')}`;
    throw new SqlError('42601', message, { position });
  }
  return node({ kind: 'column_ref', position, parts });
}

function operatorName(list: Raw): { name: string; schema: string | null } {
  const parts = strings(list);
  return { name: parts.at(-1)!, schema: parts.length > 1 ? parts.at(-2)! : null };
}

function adaptOperator(raw: Raw, c: AdaptContext): Expr {
  const position = c.at(raw.location);
  const { name, schema } = operatorName(raw.name);
  switch (raw.kind) {
    case 'AEXPR_OP':
      return node({
        kind: 'operator',
        position,
        name,
        schema,
        left: raw.lexpr === undefined ? null : c.expr(raw.lexpr),
        right: c.expr(raw.rexpr),
      });
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL':
      return node({
        kind: 'quantified_array',
        position,
        operator: name,
        schema,
        operand: c.expr(raw.lexpr),
        quantifier: raw.kind === 'AEXPR_OP_ANY' ? 'any' : 'all',
        array: c.expr(raw.rexpr),
      });
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT':
      return node({
        kind: 'is_distinct',
        position,
        left: c.expr(raw.lexpr),
        right: c.expr(raw.rexpr),
        isNegated: raw.kind === 'AEXPR_NOT_DISTINCT',
      });
    case 'AEXPR_NULLIF':
      return node({ kind: 'nullif', position, args: [c.expr(raw.lexpr), c.expr(raw.rexpr)] });
    case 'AEXPR_IN':
      return node({
        kind: 'in_list',
        position,
        operand: c.expr(raw.lexpr),
        items: raw.rexpr.List.items.map(c.expr),
        isNegated: name === '<>',
      });
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
      return adaptLike(raw, c, name, position);
    default:
      return adaptBetween(raw, c, position);
  }
}

const MATCHERS = { AEXPR_LIKE: 'like', AEXPR_ILIKE: 'ilike', AEXPR_SIMILAR: 'similar' } as const;

function adaptLike(raw: Raw, c: AdaptContext, name: string, position: number): Expr {
  const call = raw.rexpr.FuncCall;
  const callName = call === undefined ? [] : strings(call.funcname);
  const isEscape =
    callName[0] === 'pg_catalog' &&
    (callName[1] === 'like_escape' || callName[1] === 'similar_to_escape') &&
    call.location === raw.location;
  const pattern = isEscape ? call.args[0] : raw.rexpr;
  const escaping = isEscape ? call.args[1] : undefined;
  return node({
    kind: 'like',
    position,
    matcher: MATCHERS[raw.kind as keyof typeof MATCHERS],
    operand: c.expr(raw.lexpr),
    pattern: c.expr(pattern),
    escape: escaping === undefined ? null : c.expr(escaping),
    isNegated: name.startsWith('!'),
  });
}

function adaptBetween(raw: Raw, c: AdaptContext, position: number): Expr {
  const [low, high] = raw.rexpr.List.items;
  return node({
    kind: 'between',
    position,
    operand: c.expr(raw.lexpr),
    low: c.expr(low),
    high: c.expr(high),
    isNegated: raw.kind.includes('NOT_BETWEEN'),
    isSymmetric: raw.kind.endsWith('_SYM'),
  });
}

function adaptLogical(raw: Raw, c: AdaptContext): Expr {
  const position = c.at(raw.location);
  if (raw.boolop === 'NOT_EXPR')
    return node({ kind: 'not', position, operand: c.expr(raw.args[0]) });
  return node({
    kind: raw.boolop === 'AND_EXPR' ? 'and' : 'or',
    position,
    operands: raw.args.map(c.expr),
  });
}

function adaptBooleanTest(raw: Raw, c: AdaptContext): Expr {
  const words = String(raw.booltesttype).toLowerCase().split('_');
  return node({
    kind: 'boolean_test',
    position: c.at(raw.location),
    operand: c.expr(raw.arg),
    test: words.at(-1) as 'true' | 'false' | 'unknown',
    isNegated: words.includes('not'),
  });
}

function adaptSubLink(raw: Raw, c: AdaptContext): Expr {
  const position = c.at(raw.location);
  const query = c.query(raw.subselect.SelectStmt);
  switch (raw.subLinkType) {
    case 'EXISTS_SUBLINK':
      return node({ kind: 'exists', position, query });
    case 'ARRAY_SUBLINK':
      return node({ kind: 'array_subquery', position, query });
    case 'ANY_SUBLINK':
      if (raw.operName === undefined) {
        return node({
          kind: 'in_subquery',
          position,
          operand: c.expr(raw.testexpr),
          query,
          isNegated: false,
        });
      }
      break;
    case 'ALL_SUBLINK':
      break;
    default:
      return node({ kind: 'scalar_subquery', position, query });
  }
  const { name, schema } = operatorName(raw.operName);
  return node({
    kind: 'quantified_subquery',
    position,
    operator: name,
    schema,
    operand: c.expr(raw.testexpr),
    quantifier: raw.subLinkType === 'ANY_SUBLINK' ? 'any' : 'all',
    query,
  });
}

function adaptCase(raw: Raw, c: AdaptContext): Expr {
  return node({
    kind: 'case',
    position: c.at(raw.location),
    operand: raw.arg === undefined ? null : c.expr(raw.arg),
    branches: raw.args.map((branch: Raw) =>
      // biome-ignore lint/suspicious/noThenProperty: SQL's own word; nothing awaits a branch
      node({ when: c.expr(branch.CaseWhen.expr), then: c.expr(branch.CaseWhen.result) }),
    ),
    otherwise: raw.defresult === undefined ? null : c.expr(raw.defresult),
  });
}

function adaptCast(raw: Raw, c: AdaptContext): Expr {
  const type = adaptTypeName(raw.typeName, c);
  const operand = c.expr(raw.arg);
  // INTERVAL '1' MINUTE and DATE '...' have no place of their own: the type's.
  return node({
    kind: 'cast',
    position: raw.location === -1 ? type.position : c.at(raw.location),
    operand,
    type,
  });
}

/** A TypeName node (unwrapped). */
export function adaptTypeName(raw: Raw, c: AdaptContext): TypeName {
  const position = c.at(raw.location);
  if (raw.pct_type) throw notSupported('%TYPE', { position });
  const modifiers = (raw.typmods ?? []).map((modifier: Raw) => {
    const value = modifier.A_Const?.ival;
    if (value === undefined) {
      throw new SqlError('22023', 'type modifiers must be simple constants or identifiers', {
        position,
      });
    }
    return value.ival ?? 0;
  });
  return node({
    kind: 'type_name',
    position,
    names: strings(raw.names),
    modifiers,
    arrayDimensions: (raw.arrayBounds ?? []).length,
    isSetOf: raw.setof === true,
  });
}

function adaptFunctionCall(raw: Raw, c: AdaptContext): FunctionCall {
  const position = c.at(raw.location);
  return node({
    kind: 'function_call',
    position,
    name: node({ kind: 'qualified_name', position, parts: strings(raw.funcname) }),
    args: (raw.args ?? []).map((arg: Raw) =>
      arg.NamedArgExpr === undefined
        ? node({ name: null, value: c.expr(arg) })
        : node({ name: arg.NamedArgExpr.name, value: c.expr(arg.NamedArgExpr.arg) }),
    ),
    isStar: raw.agg_star === true,
    isDistinct: raw.agg_distinct === true,
    isVariadic: raw.func_variadic === true,
    orderBy: adaptSortKeys(raw.agg_order, c),
    isWithinGroup: raw.agg_within_group === true,
    filter: raw.agg_filter === undefined ? null : c.expr(raw.agg_filter),
    over: raw.over === undefined ? null : adaptWindow(raw.over, c),
    syntax: raw.funcformat === 'COERCE_SQL_SYNTAX' ? 'sql' : 'call',
  });
}

function adaptValueFunction(raw: Raw, c: AdaptContext): ValueFunction {
  const name = String(raw.op).slice('SVFOP_'.length).replace(/_N$/, '').toLowerCase();
  return node({
    kind: 'value_function',
    position: c.at(raw.location),
    name: name as ValueFunction['name'],
    precision: raw.op.endsWith('_N') ? (raw.typmod ?? 0) : null,
  });
}

function adaptIndirection(raw: Raw, c: AdaptContext): Expr {
  let operand = c.expr(raw.arg);
  for (const step of raw.indirection) {
    const [kind, body] = unwrap(step);
    const position = operand.position;
    if (kind === 'A_Star') throw notSupported('expansion of a composite value', { position });
    operand =
      kind === 'A_Indices'
        ? node({
            kind: 'subscript',
            position,
            operand,
            isSlice: body.is_slice === true,
            lower: body.lidx === undefined ? null : c.expr(body.lidx),
            upper: body.uidx === undefined ? null : c.expr(body.uidx),
          })
        : node({ kind: 'field', position, operand, field: body.sval ?? '' });
  }
  return operand;
}

export function adaptSortKeys(list: Raw, c: AdaptContext): SortKey[] {
  return (list ?? []).map((item: Raw): SortKey => {
    const raw = item.SortBy;
    const expr = c.expr(raw.node);
    if (raw.sortby_dir === 'SORTBY_USING') {
      throw notSupported('ORDER BY ... USING', { position: expr.position });
    }
    return node({
      kind: 'sort_key',
      position: expr.position,
      expr,
      direction: raw.sortby_dir === 'SORTBY_DESC' ? 'desc' : 'asc',
      nulls: nullsOrder(raw.sortby_nulls),
    });
  });
}

export function nullsOrder(raw: Raw): 'first' | 'last' | null {
  if (raw === 'SORTBY_NULLS_FIRST') return 'first';
  return raw === 'SORTBY_NULLS_LAST' ? 'last' : null;
}

// Bits of frameOptions, from PostgreSQL's parsenodes.h.
const FRAME_NONDEFAULT = 0x1;
const FRAME_ROWS = 0x4;
const FRAME_GROUPS = 0x8;
const START_BITS = { unbounded: 0x20, current: 0x200, preceding: 0x800, following: 0x2000 };
const END_BITS = { unbounded: 0x100, current: 0x400, preceding: 0x1000, following: 0x4000 };
const EXCLUDE_CURRENT_ROW = 0x8000;
const EXCLUDE_GROUP = 0x10000;
const EXCLUDE_TIES = 0x20000;

function frameBound(
  options: number,
  bits: typeof START_BITS,
  offset: Raw,
  isStart: boolean,
  c: AdaptContext,
): FrameBound {
  if (options & bits.preceding) return node({ kind: 'preceding', offset: c.expr(offset) });
  if (options & bits.following) return node({ kind: 'following', offset: c.expr(offset) });
  if (options & bits.unbounded) {
    return node({ kind: isStart ? 'unbounded_preceding' : 'unbounded_following' });
  }
  return node({ kind: 'current_row' });
}

function adaptFrame(raw: Raw, c: AdaptContext): WindowFrame | null {
  const options = raw.frameOptions ?? 0;
  if (!(options & FRAME_NONDEFAULT)) return null;
  let exclusion: WindowFrame['exclusion'] = 'none';
  if (options & EXCLUDE_CURRENT_ROW) exclusion = 'current_row';
  if (options & EXCLUDE_GROUP) exclusion = 'group';
  if (options & EXCLUDE_TIES) exclusion = 'ties';
  let mode: WindowFrame['mode'] = 'range';
  if (options & FRAME_ROWS) mode = 'rows';
  if (options & FRAME_GROUPS) mode = 'groups';
  return node({
    mode,
    start: frameBound(options, START_BITS, raw.startOffset, true, c),
    end: frameBound(options, END_BITS, raw.endOffset, false, c),
    exclusion,
  });
}

/** A WindowDef: OVER w, OVER (...), WINDOW w AS (...). */
export function adaptWindow(raw: Raw, c: AdaptContext): WindowSpec {
  const position = c.at(raw.location);
  const gap = c.lifted.sessionGaps.get(position);
  if (gap !== undefined) c.lifted.sessionGaps.delete(position);
  const isPlain = raw.name !== undefined && raw.refname === undefined && c.text[position] !== '(';
  return node({
    kind: 'window_spec',
    position,
    reference: isPlain ? raw.name : (raw.refname ?? null),
    isPlainReference: isPlain,
    partitionBy: (raw.partitionClause ?? []).map(c.expr),
    orderBy: adaptSortKeys(raw.orderClause, c),
    frame: adaptFrame(raw, c),
    sessionGap: gap === undefined ? null : c.liftedExpr(gap),
  });
}

/**
 * The AST of queries and expressions: frozen nodes with a `kind` and a `position` (0-based UTF-16 offset into the text
 * that was parsed). Statements are in statements.ts. Nothing behind sql/ knows which parser made them.
 *
 * Names are as PostgreSQL folds them: unquoted ones lower case, quoted ones as written. Operators that PostgreSQL's
 * parser turns into functions (EXTRACT, AT TIME ZONE, TRIM, POSITION, SUBSTRING, OVERLAY) are function calls of
 * pg_catalog with `syntax: 'sql'`, arguments in the function's order.
 */

export interface QualifiedName {
  readonly kind: 'qualified_name';
  readonly position: number;
  /** [name], [schema, name] or [database, schema, name]. */
  readonly parts: readonly string[];
}

export interface TypeName {
  readonly kind: 'type_name';
  readonly position: number;
  /** As PostgreSQL's parser names it: `int` is ['pg_catalog', 'int4'], `text` is ['text']. */
  readonly names: readonly string[];
  /** numeric(10,2) -> [10, 2]; interval fields -> [mask] or [mask, precision], as PostgreSQL encodes them. */
  readonly modifiers: readonly number[];
  /** 0: not an array. */
  readonly arrayDimensions: number;
  readonly isSetOf: boolean;
}

// ---------------------------------------------------------------------------------------------- expressions

export interface Literal {
  readonly kind: 'literal';
  readonly position: number;
  /** `integer` fits int4; bigger ones and those with a point or exponent are `numeric` (the binder makes int8 of 10-19 digits). */
  readonly type: 'integer' | 'numeric' | 'string' | 'boolean' | 'null' | 'bit';
  /** booleans: 'true', 'false'; null: ''; bit strings: b0101, x1F; strings: their value. */
  readonly text: string;
}

export interface ColumnRef {
  readonly kind: 'column_ref';
  readonly position: number;
  /** [column], [table, column], [schema, table, column], ... */
  readonly parts: readonly string[];
}

/** `*` or `t.*`: in select lists, RETURNING, and as an argument of row(). */
export interface Star {
  readonly kind: 'star';
  readonly position: number;
  /** [] for a bare star. */
  readonly qualifier: readonly string[];
}

export interface Parameter {
  readonly kind: 'parameter';
  readonly position: number;
  /** From 1. */
  readonly number: number;
}

export interface OperatorExpr {
  readonly kind: 'operator';
  /** Where the operator stands. */
  readonly position: number;
  readonly name: string;
  /** OPERATOR(pg_catalog.+) */
  readonly schema: string | null;
  /** null for a prefix operator. */
  readonly left: Expr | null;
  readonly right: Expr;
}

export interface LogicalExpr {
  readonly kind: 'and' | 'or';
  readonly position: number;
  readonly operands: readonly Expr[];
}

export interface NotExpr {
  readonly kind: 'not';
  readonly position: number;
  readonly operand: Expr;
}

export interface IsNull {
  readonly kind: 'is_null';
  readonly position: number;
  readonly operand: Expr;
  readonly isNegated: boolean;
}

export interface BooleanTest {
  readonly kind: 'boolean_test';
  readonly position: number;
  readonly operand: Expr;
  readonly test: 'true' | 'false' | 'unknown';
  readonly isNegated: boolean;
}

/** IS [NOT] DISTINCT FROM. */
export interface IsDistinct {
  readonly kind: 'is_distinct';
  readonly position: number;
  readonly left: Expr;
  readonly right: Expr;
  readonly isNegated: boolean;
}

export interface InList {
  readonly kind: 'in_list';
  readonly position: number;
  readonly operand: Expr;
  readonly items: readonly Expr[];
  readonly isNegated: boolean;
}

/** x op ANY|ALL (array). */
export interface QuantifiedArray {
  readonly kind: 'quantified_array';
  readonly position: number;
  readonly operator: string;
  readonly schema: string | null;
  readonly operand: Expr;
  readonly quantifier: 'any' | 'all';
  readonly array: Expr;
}

export interface Between {
  readonly kind: 'between';
  readonly position: number;
  readonly operand: Expr;
  readonly low: Expr;
  readonly high: Expr;
  readonly isNegated: boolean;
  readonly isSymmetric: boolean;
}

export interface Like {
  readonly kind: 'like';
  readonly position: number;
  readonly matcher: 'like' | 'ilike' | 'similar';
  readonly operand: Expr;
  readonly pattern: Expr;
  readonly escape: Expr | null;
  readonly isNegated: boolean;
}

export interface Case {
  readonly kind: 'case';
  readonly position: number;
  readonly operand: Expr | null;
  readonly branches: readonly { readonly when: Expr; readonly then: Expr }[];
  readonly otherwise: Expr | null;
}

/** COALESCE, GREATEST, LEAST; NULLIF has two arguments. */
export interface ConditionalCall {
  readonly kind: 'coalesce' | 'greatest' | 'least' | 'nullif';
  readonly position: number;
  readonly args: readonly Expr[];
}

export interface Cast {
  readonly kind: 'cast';
  readonly position: number;
  readonly operand: Expr;
  readonly type: TypeName;
}

export interface FunctionCall {
  readonly kind: 'function_call';
  readonly position: number;
  readonly name: QualifiedName;
  readonly args: readonly FunctionArgument[];
  /** count(*). */
  readonly isStar: boolean;
  readonly isDistinct: boolean;
  readonly isVariadic: boolean;
  /** ORDER BY inside the parentheses, or of WITHIN GROUP. */
  readonly orderBy: readonly SortKey[];
  readonly isWithinGroup: boolean;
  readonly filter: Expr | null;
  readonly over: WindowSpec | null;
  /** 'sql': written in SQL's own syntax (EXTRACT(x FROM y), AT TIME ZONE, ...). */
  readonly syntax: 'call' | 'sql';
}

export interface FunctionArgument {
  readonly name: string | null;
  readonly value: Expr;
}

/** Functions without parentheses. */
export interface ValueFunction {
  readonly kind: 'value_function';
  readonly position: number;
  readonly name:
    | 'current_date'
    | 'current_time'
    | 'current_timestamp'
    | 'localtime'
    | 'localtimestamp'
    | 'current_role'
    | 'current_user'
    | 'session_user'
    | 'user'
    | 'current_catalog'
    | 'current_schema';
  readonly precision: number | null;
}

/** ARRAY[...]; also VALUES-like lists of ROW(...). */
export interface ListExpr {
  readonly kind: 'array' | 'row';
  readonly position: number;
  readonly elements: readonly Expr[];
}

export interface Subscript {
  readonly kind: 'subscript';
  readonly position: number;
  readonly operand: Expr;
  /** a[lower:upper]; a plain index is in `upper` with isSlice false. */
  readonly isSlice: boolean;
  readonly lower: Expr | null;
  readonly upper: Expr | null;
}

/** (composite).field */
export interface FieldAccess {
  readonly kind: 'field';
  readonly position: number;
  readonly operand: Expr;
  readonly field: string;
}

/** (query), EXISTS (query), ARRAY(query). */
export interface SubqueryExpr {
  readonly kind: 'scalar_subquery' | 'exists' | 'array_subquery';
  readonly position: number;
  readonly query: Query;
}

/** x [NOT] IN (query); a row on the left is a ListExpr of kind 'row'. */
export interface InSubquery {
  readonly kind: 'in_subquery';
  readonly position: number;
  readonly operand: Expr;
  readonly query: Query;
  readonly isNegated: boolean;
}

/** x op ANY|ALL (query). */
export interface QuantifiedSubquery {
  readonly kind: 'quantified_subquery';
  readonly position: number;
  readonly operator: string;
  readonly schema: string | null;
  readonly operand: Expr;
  readonly quantifier: 'any' | 'all';
  readonly query: Query;
}

export interface Collate {
  readonly kind: 'collate';
  readonly position: number;
  readonly operand: Expr;
  readonly collation: QualifiedName;
}

/** GROUPING(a, b). */
export interface Grouping {
  readonly kind: 'grouping';
  readonly position: number;
  readonly args: readonly Expr[];
}

/** DEFAULT in VALUES of an INSERT, and in UPDATE SET. */
export interface DefaultExpr {
  readonly kind: 'default';
  readonly position: number;
}

export type Expr =
  | Literal
  | ColumnRef
  | Star
  | Parameter
  | OperatorExpr
  | LogicalExpr
  | NotExpr
  | IsNull
  | BooleanTest
  | IsDistinct
  | InList
  | QuantifiedArray
  | Between
  | Like
  | Case
  | ConditionalCall
  | Cast
  | FunctionCall
  | ValueFunction
  | ListExpr
  | Subscript
  | FieldAccess
  | SubqueryExpr
  | InSubquery
  | QuantifiedSubquery
  | Collate
  | Grouping
  | DefaultExpr;

export interface SortKey {
  readonly kind: 'sort_key';
  readonly position: number;
  readonly expr: Expr;
  readonly direction: 'asc' | 'desc';
  /** null: the default (last for asc, first for desc). */
  readonly nulls: 'first' | 'last' | null;
}

export type FrameBound =
  | { readonly kind: 'unbounded_preceding' | 'current_row' | 'unbounded_following' }
  | { readonly kind: 'preceding' | 'following'; readonly offset: Expr };

export interface WindowFrame {
  readonly mode: 'rows' | 'range' | 'groups';
  readonly start: FrameBound;
  readonly end: FrameBound;
  readonly exclusion: 'none' | 'current_row' | 'group' | 'ties';
}

export interface WindowSpec {
  readonly kind: 'window_spec';
  readonly position: number;
  /** OVER w: reference 'w', isPlainReference true; OVER (w ...): reference 'w'. */
  readonly reference: string | null;
  readonly isPlainReference: boolean;
  readonly partitionBy: readonly Expr[];
  readonly orderBy: readonly SortKey[];
  /** null: the default frame. */
  readonly frame: WindowFrame | null;
  /** SESSION WITH GAP interval. */
  readonly sessionGap: Expr | null;
}

// ---------------------------------------------------------------------------------------------- table references

export interface TableAlias {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface TableName {
  readonly kind: 'table_name';
  readonly position: number;
  readonly name: QualifiedName;
  readonly alias: TableAlias | null;
  /** FOR SYSTEM_TIME AS OF expr (PROCTIME() is a function call). */
  readonly asOf: Expr | null;
}

export interface DerivedTable {
  readonly kind: 'derived_table';
  readonly position: number;
  readonly query: Query;
  readonly isLateral: boolean;
  readonly alias: TableAlias | null;
}

export interface ColumnDefinitionItem {
  readonly name: string;
  readonly type: TypeName;
}

/** f(...), ROWS FROM (f(...), g(...)), LATERAL f(...) WITH ORDINALITY. */
export interface TableFunction {
  readonly kind: 'table_function';
  readonly position: number;
  readonly functions: readonly {
    readonly call: Expr;
    readonly columns: readonly ColumnDefinitionItem[];
  }[];
  readonly isRowsFrom: boolean;
  readonly isLateral: boolean;
  readonly withOrdinality: boolean;
  readonly alias: TableAlias | null;
  /** AS (a int, b text). */
  readonly columns: readonly ColumnDefinitionItem[];
}

/** TUMBLE, HOP, CUMULATE, SESSION: rows of `input` with window_start, window_end (and window_time). */
export interface WindowFunctionTable {
  readonly kind: 'window_function';
  readonly position: number;
  readonly function: 'tumble' | 'hop' | 'cumulate' | 'session';
  readonly input: TableRef;
  readonly timeColumn: ColumnRef;
  /** tumble: size [, offset]; hop: slide, size [, offset]; cumulate: step, size [, offset]; session: gap. */
  readonly args: readonly Expr[];
  /** SESSION only. */
  readonly partitionBy: readonly Expr[];
  readonly alias: TableAlias | null;
}

export interface Join {
  readonly kind: 'join';
  readonly position: number;
  readonly type: 'inner' | 'left' | 'right' | 'full' | 'cross';
  /** a ASOF [LEFT] JOIN b. */
  readonly isAsOf: boolean;
  readonly isNatural: boolean;
  readonly left: TableRef;
  readonly right: TableRef;
  readonly using: readonly string[] | null;
  readonly on: Expr | null;
  /** (a JOIN b ON ...) AS j. */
  readonly alias: TableAlias | null;
}

export type TableRef = TableName | DerivedTable | TableFunction | WindowFunctionTable | Join;

// ---------------------------------------------------------------------------------------------- queries

export interface CommonTable {
  readonly kind: 'common_table';
  readonly position: number;
  readonly name: string;
  readonly columns: readonly string[];
  /** null: left to the planner. */
  readonly isMaterialized: boolean | null;
  readonly query: Query;
}

export interface WithClause {
  readonly kind: 'with';
  readonly position: number;
  readonly isRecursive: boolean;
  readonly tables: readonly CommonTable[];
}

export interface SelectItem {
  readonly kind: 'select_item';
  readonly position: number;
  /** A Star for `*` and `t.*`. */
  readonly expr: Expr;
  readonly alias: string | null;
}

export type GroupingElement =
  | { readonly kind: 'group_expr'; readonly position: number; readonly expr: Expr }
  | {
      readonly kind: 'rollup' | 'cube' | 'grouping_sets' | 'group_empty';
      readonly position: number;
      readonly items: readonly GroupingElement[];
    };

export interface Select {
  readonly kind: 'select';
  readonly position: number;
  /** null: no DISTINCT; on empty: DISTINCT; else DISTINCT ON. */
  readonly distinct: { readonly on: readonly Expr[] } | null;
  readonly items: readonly SelectItem[];
  readonly from: readonly TableRef[];
  readonly where: Expr | null;
  readonly groupBy: readonly GroupingElement[];
  readonly isGroupByDistinct: boolean;
  readonly having: Expr | null;
  readonly windows: readonly { readonly name: string; readonly spec: WindowSpec }[];
}

export interface Values {
  readonly kind: 'values';
  readonly position: number;
  readonly rows: readonly (readonly Expr[])[];
}

export interface SetOperation {
  readonly kind: 'set_operation';
  readonly position: number;
  readonly operator: 'union' | 'intersect' | 'except';
  readonly isAll: boolean;
  readonly left: Query;
  readonly right: Query;
}

export interface Query {
  readonly kind: 'query';
  readonly position: number;
  readonly with: WithClause | null;
  readonly body: Select | Values | SetOperation;
  readonly orderBy: readonly SortKey[];
  /** null: none (LIMIT ALL too). */
  readonly limit: Expr | null;
  readonly isWithTies: boolean;
  readonly offset: Expr | null;
  /** FOR UPDATE, FOR SHARE ... */
  readonly isLocking: boolean;
}

/** EMIT ...: of views, materialized views and sinks. */
export interface Emit {
  readonly kind: 'emit';
  readonly position: number;
  readonly mode: 'update' | 'window_close' | 'periodic';
  /** PERIODIC's interval. */
  readonly period: Expr | null;
}

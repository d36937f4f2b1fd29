/**
 * The plan: a tree of plain JSON nodes that both executors run. A logical plan becomes a stream plan or a batch plan
 * by rewriting this tree (rules/) and by `properties` being filled in; operators are made from it one to one.
 *
 * Conventions: a node's `columns` are what it puts out. Keys and sort keys are column indexes of the input (the planner
 * puts a Project below where an expression is computed). Every node maps weighted deltas to weighted deltas.
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import type { DataType } from '../types/data-type.ts';

export interface PlanColumn {
  readonly name: string;
  readonly type: DataType;
}

export interface SortKey {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** What is proved of a node's output. */
export interface StreamProperties {
  /** Columns that identify a row (at most one copy of each); null: a bag. [] = at most one row. */
  readonly key: readonly number[] | null;
  /** Never retracts. */
  readonly isAppendOnly: boolean;
  /** Event-time columns that carry a watermark. */
  readonly watermarks: readonly WatermarkColumn[];
}

/** W of this output column = W of `input`'s watermark number `source` plus `shiftUs` (minimum over inputs for a Union). */
export interface WatermarkColumn {
  readonly column: number;
  /** Index into the input's (first input's) `properties.watermarks`; for a Scan 0. */
  readonly source: number;
  readonly shiftUs: string;
}

interface NodeBase {
  readonly columns: readonly PlanColumn[];
  readonly properties?: StreamProperties;
}

/**
 * All (or some) columns of a relation. `stored_source`: a source whose rows are kept; `system`: a relation of pg_catalog,
 * information_schema or millrace.
 */
export interface ScanNode extends NodeBase {
  readonly kind: 'scan';
  readonly relation: {
    readonly kind: 'table' | 'materialized_view' | 'source' | 'stored_source' | 'system';
    /** Catalog object id; for `system` its OID. */
    readonly id: number;
    readonly schema: string;
    readonly name: string;
  };
  /** Output column i is the relation's stored column `columnIndexes[i]`. */
  readonly columnIndexes: readonly number[];
}

/** Constant rows, without input: `rows[i][j]` has no column references. `SELECT 1` is one row of no columns under a Project. */
export interface ValuesNode extends NodeBase {
  readonly kind: 'values';
  readonly rows: readonly (readonly BoundExpr[])[];
}

export interface FilterNode extends NodeBase {
  readonly kind: 'filter';
  readonly input: PlanNode;
  readonly predicate: BoundExpr;
}

export interface ProjectNode extends NodeBase {
  readonly kind: 'project';
  readonly input: PlanNode;
  readonly expressions: readonly BoundExpr[];
}

export type JoinKind = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti';

/**
 * Output columns: left's, then right's (semi and anti: left's only). `residual` sees left's then right's columns and is
 * part of the ON condition. No keys = nested loops over one key. `nullsEqual`: NULL keys match each other.
 */
export interface JoinNode extends NodeBase {
  readonly kind: 'join';
  readonly joinKind: JoinKind;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly leftKeys: readonly number[];
  readonly rightKeys: readonly number[];
  readonly nullsEqual: boolean;
  readonly residual: BoundExpr | null;
  /**
   * Interval join: a pair needs left.time + lowerUs <= right.time <= left.time + upperUs (the exact condition is also in
   * `residual`); a row is dropped from state once the other side's watermark has passed all its partners.
   */
  readonly interval?: {
    readonly leftTime: number;
    readonly rightTime: number;
    readonly lowerUs: string;
    readonly upperUs: string;
  };
}

export interface AggregateCall {
  /** Registry id of the aggregate, e.g. `sum(int8)`, `count()`, `count(any)`. */
  readonly function: string;
  /** Input columns. */
  readonly args: readonly number[];
  readonly isDistinct: boolean;
  /** A boolean input column: only its true rows count. */
  readonly filter: number | null;
  readonly orderBy: readonly SortKey[];
  readonly type: DataType;
}

/**
 * Output columns: the keys, then the aggregates. No keys: exactly one row, also over no input. Keys compare by identity:
 * where a type's SQL equality is coarser (isIdentityEquality in types), the planner groups by `canonical(key)` and shows
 * `least(key)`. DISTINCT is an Aggregate without calls.
 * `closeOn`: the key column (window_start, window_end, ...) whose watermark closes a group: its state is dropped
 * once W passes it, and rows of a closed group are late.
 */
export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate';
  readonly input: PlanNode;
  readonly keys: readonly number[];
  readonly calls: readonly AggregateCall[];
  readonly closeOn?: {
    readonly key: number;
    readonly watermark: number;
    readonly shiftUs: string;
  } | null;
}

export interface UnionNode extends NodeBase {
  readonly kind: 'union';
  readonly inputs: readonly PlanNode[];
}

/** INTERSECT / EXCEPT [ALL], rows compared by identity of canonical columns, NULLs equal. */
export interface SetOperationNode extends NodeBase {
  readonly kind: 'set_operation';
  readonly operation: 'intersect' | 'except';
  readonly isAll: boolean;
  readonly left: PlanNode;
  readonly right: PlanNode;
}

/**
 * TUMBLE / HOP / CUMULATE / SESSION. Output: the input's columns, then window_start, window_end, window_time (the type of
 * the time column). Sizes in microseconds as decimal strings. hop: `slideUs`, `sizeUs`; cumulate: slideUs is the step.
 */
export interface WindowNode extends NodeBase {
  readonly kind: 'window';
  readonly windowKind: 'tumble' | 'hop' | 'cumulate' | 'session';
  readonly input: PlanNode;
  readonly time: number;
  readonly sizeUs: string;
  readonly slideUs: string;
  readonly offsetUs: string;
  /** Session only: columns of PARTITION BY. */
  readonly partition: readonly number[];
  /** Index into the input's watermarks for `time`; null: nothing is late, nothing closes. */
  readonly watermark: number | null;
  readonly allowedLatenessUs: string;
}

/** First `limit` rows after `offset` per partition, in order, ties by all columns (semantics.md rule 9). */
export interface TopNNode extends NodeBase {
  readonly kind: 'top_n';
  readonly input: PlanNode;
  readonly partition: readonly number[];
  readonly order: readonly SortKey[];
  /** null: all. */
  readonly limit: number | null;
  readonly offset: number;
  /** Adds row_number (int8, from 1) as the last column. */
  readonly withRank: boolean;
}

/** Window functions (OVER) by recomputing a partition that changed. Output: input's columns, then one for each call. */
export interface OverNode extends NodeBase {
  readonly kind: 'over';
  readonly input: PlanNode;
  readonly partition: readonly number[];
  readonly order: readonly SortKey[];
  readonly calls: readonly {
    /** row_number, rank, dense_rank, lag, lead, first_value, last_value, or an aggregate's id. */
    readonly function: string;
    readonly args: readonly number[];
    readonly frame: 'partition' | 'range_to_current' | 'rows_to_current';
    readonly type: DataType;
  }[];
}

/** EMIT ON WINDOW CLOSE: holds rows until W of the input's watermark number `watermark` passes `column`'s value. */
export interface EmitOnCloseNode extends NodeBase {
  readonly kind: 'emit_on_close';
  readonly input: PlanNode;
  readonly column: number;
  readonly watermark: number;
  /** true: W > value (session end, instants); false: W >= value (fixed window_end). */
  readonly isStrict: boolean;
}

/** Rows live while validFrom <= now < validUntil (timestamptz columns of the input; null index: no bound). Output: input's columns. */
export interface TemporalFilterNode extends NodeBase {
  readonly kind: 'temporal_filter';
  readonly input: PlanNode;
  readonly validFrom: number | null;
  readonly validUntil: number | null;
}

/**
 * At most one row of each key, on its way into a sink whose key is not proven unique (semantics.md rule 31): of several live
 * ones the one that came last, or, with 'error', none of any key until no key has several. Output: the input's columns.
 */
export interface UniqueKeyNode extends NodeBase {
  readonly kind: 'unique_key';
  readonly input: PlanNode;
  /** Columns of the sink's key. */
  readonly key: readonly number[];
  /** What of them is compared byte by byte: canonical values where equal ones may look different. */
  readonly partition: readonly number[];
  readonly onDuplicate: OnDuplicateKey;
}

export type OnDuplicateKey = 'error' | 'latest';

/** Set-returning function in FROM, run for each input row: output is the input's columns, then the function's. */
export interface TableFunctionNode extends NodeBase {
  readonly kind: 'table_function';
  readonly input: PlanNode;
  /** generate_series(...), unnest(anyarray), ... : registry id. */
  readonly function: string;
  readonly args: readonly BoundExpr[];
  readonly withOrdinality: boolean;
  /** LEFT JOIN LATERAL: a row without results stays, with NULLs. */
  readonly isOuter: boolean;
}

export type PlanNode =
  | ScanNode
  | ValuesNode
  | FilterNode
  | ProjectNode
  | JoinNode
  | AggregateNode
  | UnionNode
  | SetOperationNode
  | WindowNode
  | TopNNode
  | OverNode
  | EmitOnCloseNode
  | TemporalFilterNode
  | UniqueKeyNode
  | TableFunctionNode;

/** A SELECT ready to run: the plan, then the presentation order. The first `visibleCount` columns are the user's. */
export interface QueryPlan {
  readonly node: PlanNode;
  readonly order: readonly SortKey[];
  readonly limit: BoundExpr | null;
  readonly offset: BoundExpr | null;
  readonly visibleCount: number;
  readonly columns: readonly ResultColumn[];
  /** Types of $1.. */
  readonly parameterTypes: readonly DataType[];
  /** Ids of the user relations that it reads. */
  readonly relationIds: readonly number[];
}

/** A column of a result: with its table and attribute number where it is a plain column (for RowDescription). */
export interface ResultColumn extends PlanColumn {
  readonly tableOid?: number;
  readonly attributeNumber?: number;
}

/** A materialized view's or sink's dataflow. */
export interface StreamPlan {
  readonly node: PlanNode;
  /** Proven unique key of the result, null: a bag. */
  readonly key: readonly number[] | null;
  readonly emit: 'update' | 'window_close' | 'periodic';
  readonly emitPeriodUs: string | null;
  readonly onError: 'fail' | 'withhold';
  readonly lateRows: 'dead_letter' | 'drop';
  readonly relationIds: readonly number[];
  /** Notices for CREATE: state without bound and the like. */
  readonly notices: readonly string[];
}

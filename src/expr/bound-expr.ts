/**
 * Bound expressions: names resolved, overloads chosen, casts explicit. Plain JSON, so that a plan can be logged,
 * checkpointed and sent to a worker. Columns are indexes into the input's columns.
 */

import type { DataType } from '../types/data-type.ts';

export type BoundExpr =
  | BoundColumn
  | BoundLiteral
  | BoundParameter
  | BoundCall
  | BoundLogic
  | BoundNot
  | BoundNullTest
  | BoundCase
  | BoundCoalesce
  | BoundNow
  | BoundArray;

export interface BoundColumn {
  readonly kind: 'column';
  readonly index: number;
  readonly type: DataType;
}

/** A constant: `text` in PostgreSQL's output form (ISO dates, UTC, shortest floats), null for NULL. */
export interface BoundLiteral {
  readonly kind: 'literal';
  readonly text: string | null;
  readonly type: DataType;
}

/** `$1` is index 0. Replaced by literals before a plan leaves the session. */
export interface BoundParameter {
  readonly kind: 'parameter';
  readonly index: number;
  readonly type: DataType;
}

/**
 * A call of a registered function; operators and casts are functions too. `function` is the registry's id
 * (`name(argtype,argtype)`, see registry.ts); polymorphic results carry their type here.
 */
export interface BoundCall {
  readonly kind: 'call';
  readonly function: string;
  readonly args: readonly BoundExpr[];
  readonly type: DataType;
  /** Where the call stood in the statement (0-based), for errors at run time; absent for what the planner adds. */
  readonly position?: number;
}

/** Three-valued AND / OR; a false (true) argument keeps later ones from being evaluated for that row. */
export interface BoundLogic {
  readonly kind: 'and' | 'or';
  readonly args: readonly BoundExpr[];
  readonly type: DataType;
}

export interface BoundNot {
  readonly kind: 'not';
  readonly arg: BoundExpr;
  readonly type: DataType;
}

/** `arg IS [NOT] NULL | TRUE | FALSE`: never NULL. IS UNKNOWN is IS NULL. */
export interface BoundNullTest {
  readonly kind: 'is';
  readonly test: 'null' | 'true' | 'false';
  readonly negated: boolean;
  readonly arg: BoundExpr;
  readonly type: DataType;
}

/** Searched CASE; `CASE x WHEN v` is bound to `x = v`. Only the branch taken is evaluated for a row. */
export interface BoundCase {
  readonly kind: 'case';
  readonly branches: readonly { readonly condition: BoundExpr; readonly result: BoundExpr }[];
  readonly otherwise: BoundExpr | null;
  readonly type: DataType;
}

/** First non-NULL argument; later ones are evaluated only where it is NULL. */
export interface BoundCoalesce {
  readonly kind: 'coalesce';
  readonly args: readonly BoundExpr[];
  readonly type: DataType;
}

/** The statement's or the epoch's instant (timestamptz); the binder casts it for CURRENT_DATE and the like. */
export interface BoundNow {
  readonly kind: 'now';
  readonly type: DataType;
}

/** ARRAY[...]; `type` is the array type. */
export interface BoundArray {
  readonly kind: 'array';
  readonly elements: readonly BoundExpr[];
  readonly type: DataType;
}

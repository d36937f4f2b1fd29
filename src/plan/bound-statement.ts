/**
 * What the planner gives back for statements that are not plain queries: DML ready to run, views and tables ready to be
 * put into the catalog.
 */

import type {
  CatalogColumn,
  Constraint,
  RelationProperties,
  WatermarkDefinition,
} from '../catalog/objects.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { DataType } from '../types/data-type.ts';
import type { PlanNode, QueryPlan, ResultColumn, StreamPlan } from './plan-node.ts';

/**
 * RETURNING: expressions over the target's columns (UPDATE: the new row's; DELETE: the old row's), then, numbered on from
 * there, the columns of FROM or USING, which are the last ones of `rows`.
 */
export interface ReturningClause {
  readonly expressions: readonly BoundExpr[];
  readonly columns: readonly ResultColumn[];
}

/** A CHECK to evaluate over the target's columns; false is 23514, NULL passes. */
export interface BoundCheck {
  readonly name: string;
  readonly expr: BoundExpr;
}

/** A unique constraint or primary key to hold. */
export interface BoundKey {
  readonly name: string;
  readonly columns: readonly number[];
  readonly isPrimary: boolean;
}

interface DmlBase {
  readonly targetId: number;
  /** Types of $1.. over the whole statement. */
  readonly parameterTypes: readonly DataType[];
  readonly checks: readonly BoundCheck[];
  readonly keys: readonly BoundKey[];
  /** Target columns that must not be NULL. */
  readonly notNull: readonly number[];
  readonly returning: ReturningClause | null;
}

export interface InsertPlan extends DmlBase {
  readonly kind: 'insert';
  /** Rows with every column of the target in order: defaults and generated columns are in. */
  readonly rows: QueryPlan;
  readonly onConflict: OnConflictPlan | null;
}

export interface OnConflictPlan {
  /** Columns of the key that arbitrates; null: any (DO NOTHING without target). */
  readonly key: readonly number[] | null;
  readonly action: 'nothing' | 'update';
  /** For update: the whole new row, over the existing row's columns, then the proposed (EXCLUDED) row's. */
  readonly newRow: readonly BoundExpr[];
  /** Over the same; the update is made only where it is true. */
  readonly where: BoundExpr | null;
}

export interface UpdatePlan extends DmlBase {
  readonly kind: 'update';
  /** Rows: the old row's columns, the new row's, then (only with RETURNING) all of FROM's. */
  readonly rows: QueryPlan;
  readonly columnCount: number;
}

export interface DeletePlan extends DmlBase {
  readonly kind: 'delete';
  /** Rows: the old row's columns, then (only with RETURNING) all of USING's. */
  readonly rows: QueryPlan;
  readonly columnCount: number;
}

export type DmlPlan = InsertPlan | UpdatePlan | DeletePlan;

/** CREATE MATERIALIZED VIEW (and the query of a sink): the dataflow and what the catalog keeps of it. */
export interface PlannedView {
  readonly plan: StreamPlan;
  readonly logical: PlanNode;
  readonly columns: readonly CatalogColumn[];
  readonly properties: RelationProperties;
  /** Relations and views that the text names: what must not be dropped. */
  readonly dependsOn: readonly number[];
}

/** CREATE VIEW: the bound query is kept in the catalog and put in place of the name. */
export interface PlannedPlainView {
  readonly plan: PlanNode;
  readonly columns: readonly CatalogColumn[];
  /** Relations and views that the text names: what must not be dropped. */
  readonly relationIds: readonly number[];
}

/** The parts of CREATE TABLE and CREATE SOURCE that need binding. */
export interface BoundRelationDefinition {
  readonly columns: readonly CatalogColumn[];
  readonly constraints: readonly Constraint[];
  readonly watermark: WatermarkDefinition | null;
}

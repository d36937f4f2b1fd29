/** A statement made ready to run: its parameters, the shape of its answer, and how to run it. */

import type { Catalog } from '../catalog/catalog.ts';
import type { BoundLiteral } from '../expr/bound-expr.ts';
import { literalOf } from '../expr/coerce.ts';
import type { ResultColumn } from '../plan/plan-node.ts';
import type { RowSource } from '../serve/row-source.ts';
import type { ParsedStatement } from '../sql/statements.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { ResultField, ResultWriter } from './port.ts';

/** What running a statement gives. */
export type StatementResult =
  /** Rows to be pulled; `tag` of how many were sent. */
  | { readonly kind: 'rows'; readonly rows: RowSource; readonly tag: (count: number) => string }
  | { readonly kind: 'done'; readonly tag: string }
  /** COPY and SUBSCRIBE drive the wire themselves; resolves with the tag. */
  | { readonly kind: 'stream'; readonly run: (writer: ResultWriter) => Promise<string> };

/** A statement bound to the catalog that it was planned with. */
export interface StatementPlan {
  readonly parameterTypes: readonly DataType[];
  /** null: no rows. */
  readonly fields: readonly ResultField[] | null;
  /** `parameters`: one value of each of `parameterTypes`. */
  run(parameters: readonly Value[]): Promise<StatementResult>;
}

/** PREPARE's and Parse's: planned again when the catalog or a setting has changed. */
export interface PreparedStatement {
  readonly name: string;
  /** null: an empty statement. */
  readonly statement: ParsedStatement | null;
  readonly declaredTypes: readonly (DataType | null)[];
  plan: StatementPlan | null;
  /** What the plan depends on; another value means planning again. */
  planKey: { readonly catalog: Catalog; readonly settings: number } | null;
}

/** A command without parameters and rows. */
export function command(run: () => Promise<string>): StatementPlan {
  return {
    parameterTypes: [],
    fields: null,
    run: async () => ({ kind: 'done', tag: await run() }),
  };
}

/** Parameters' values as the literals that stand for them in a plan. */
export function literals(types: readonly DataType[], values: readonly Value[]): BoundLiteral[] {
  return types.map((type, index) => literalOf(type, values[index] ?? null));
}

export function fieldOf(column: ResultColumn): ResultField {
  return {
    name: column.name,
    type: column.type,
    tableOid: column.tableOid ?? 0,
    attributeNumber: column.attributeNumber ?? 0,
  };
}

export function plainField(name: string, type: DataType): ResultField {
  return { name, type, tableOid: 0, attributeNumber: 0 };
}

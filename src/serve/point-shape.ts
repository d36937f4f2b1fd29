/**
 * Which plans are point lookups: projections and filters over one scan whose filter pins every column of the relation's key
 * or of an index to a constant; or projections and filters over one constant row.
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import { functionById } from '../expr/registry.ts';
import { evaluateValue } from '../expr/scalar.ts';
import {
  conjunction,
  conjuncts,
  rewriteExpr,
  someExpr,
  substituteColumns,
} from '../plan/expr-tree.ts';
import type { PlanNode, QueryPlan, ScanNode } from '../plan/plan-node.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import { BOOL, type DataType, type Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, isIdentityEquality } from '../types/value.ts';

/** One column of an index and what it must be equal to. */
export interface KeyPart {
  /** The stored column's type. */
  readonly type: DataType;
  /** A literal or a parameter. */
  readonly constant: BoundExpr;
}

/** Where rows are found: the relation's index and what its columns must be equal to. */
export interface IndexProbe {
  readonly scan: ScanNode;
  readonly schema: RelationSchema;
  /** RelationReader.lookup's index number. */
  readonly index: number;
  readonly parts: readonly KeyPart[];
}

/** Expressions over the scan's columns, then the statement's parameters. */
export interface LookupShape {
  /** null: one constant row. */
  readonly probe: IndexProbe | null;
  /** The predicates that the probe does not answer. */
  readonly residual: BoundExpr | null;
  readonly outputs: readonly BoundExpr[];
}

interface Flat {
  readonly base: ScanNode | null;
  readonly predicates: readonly BoundExpr[];
  readonly outputs: readonly BoundExpr[];
}

/** The plan as a lookup; null: it is none. */
export function lookupShape(
  plan: QueryPlan,
  schemaOf: (relationId: number) => RelationSchema | undefined,
): LookupShape | null {
  const flat = flatten(plan.node);
  if (flat === null) return null;
  const { base, predicates } = flat;
  const probe = base === null ? null : findProbe(base, predicates, schemaOf(base.relation.id));
  if (base !== null && probe === null) return null;
  // One row at most needs no order.
  if (plan.order.length > 0 && probe !== null && probe.index !== 0) return null;
  const width = base === null ? 0 : base.columns.length;
  const inColumns = (expr: BoundExpr) => parametersAsColumns(expr, width);
  const answered = new Set(probe?.answered ?? []);
  const residual = predicates.filter((predicate) => !answered.has(predicate)).map(inColumns);
  return {
    probe,
    residual:
      residual.length > 1 ? { kind: 'and', args: residual, type: BOOL } : conjunction(residual),
    outputs: flat.outputs.slice(0, plan.visibleCount).map(inColumns),
  };
}

/** Predicates and outputs over the columns of the node at the bottom. */
function flatten(node: PlanNode): Flat | null {
  if (node.kind === 'scan') {
    if (node.relation.kind === 'system' || node.relation.kind === 'source') return null;
    const outputs = node.columns.map(
      ({ type }, index): BoundExpr => ({ kind: 'column', index, type }),
    );
    return { base: node, predicates: [], outputs };
  }
  if (node.kind === 'values') {
    const row = node.rows.length === 1 ? node.rows[0]! : null;
    return row === null ? null : { base: null, predicates: [], outputs: row };
  }
  if (node.kind !== 'filter' && node.kind !== 'project') return null;
  const input = flatten(node.input);
  // A volatile value must be made once for each row: it is not put in the place of its column.
  if (input === null || input.outputs.some(isVolatile)) return null;
  const overBase = (expr: BoundExpr) => substituteColumns(expr, (index) => input.outputs[index]!);
  if (node.kind === 'project') return { ...input, outputs: node.expressions.map(overBase) };
  const predicates = conjuncts(node.predicate).map(overBase);
  if (predicates.some(isVolatile)) return null;
  return { ...input, predicates: [...input.predicates, ...predicates] };
}

function isVolatile(expr: BoundExpr): boolean {
  return someExpr(
    expr,
    (part) => part.kind === 'call' && functionById(part.function)?.volatility === 'volatile',
  );
}

function findProbe(
  scan: ScanNode,
  predicates: readonly BoundExpr[],
  schema: RelationSchema | undefined,
): (IndexProbe & { readonly answered: readonly BoundExpr[] }) | null {
  if (schema === undefined) return null;
  const equalities = predicates.flatMap((predicate) => equality(predicate, scan) ?? []);
  const candidates = [schema.key ?? [], ...schema.indexes.map((one) => one.columns)];
  for (const [index, columns] of candidates.entries()) {
    if (columns.length === 0) continue;
    const found = columns.map((column) =>
      equalities.find((one) => scan.columnIndexes[one.column] === column),
    );
    if (found.some((one) => one === undefined)) continue;
    const parts = found.map((one) => ({ type: one!.type, constant: one!.constant }));
    return { scan, schema, index, parts, answered: found.map((one) => one!.predicate) };
  }
  return null;
}

interface Equality {
  readonly column: number;
  readonly type: DataType;
  readonly constant: BoundExpr;
  readonly predicate: BoundExpr;
}

/** `column = constant`, either way round, where equal values are equal bytes. */
function equality(predicate: BoundExpr, scan: ScanNode): Equality | null {
  if (predicate.kind !== 'call' || !predicate.function.startsWith('=(')) return null;
  const [left, right] = predicate.args;
  for (const [one, other] of [
    [left, right],
    [right, left],
  ]) {
    const column = one === undefined ? null : storedColumn(one);
    if (column === null || other === undefined || !isConstant(other)) continue;
    const { type } = scan.columns[column]!;
    if (!isComparable(type, other.type)) continue;
    return { column, type, constant: other, predicate };
  }
  return null;
}

/** The column itself, also behind varchar's cast to text, which changes nothing. */
function storedColumn(expr: BoundExpr): number | null {
  if (expr.kind === 'column') return expr.index;
  if (expr.kind !== 'call' || expr.function !== 'cast(varchar,text)') return null;
  const arg = expr.args[0];
  return arg?.kind === 'column' ? arg.index : null;
}

const INTEGERS: ReadonlySet<string> = new Set(['int2', 'int4', 'int8']);
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar']);

function isComparable(stored: DataType, given: DataType): boolean {
  if (!isIdentityEquality(stored)) return false;
  if (stored.id === given.id) return stored.element === null;
  return (
    (INTEGERS.has(stored.id) && INTEGERS.has(given.id)) ||
    (TEXTS.has(stored.id) && TEXTS.has(given.id))
  );
}

/** Literals, parameters, and immutable calls of nothing else. */
function isConstant(expr: BoundExpr): boolean {
  return !someExpr(
    expr,
    (part) =>
      part.kind === 'column' ||
      part.kind === 'now' ||
      (part.kind === 'call' && functionById(part.function)?.volatility !== 'immutable'),
  );
}

const INTEGER_MAX: Readonly<Record<string, bigint>> = { int2: 0x7fffn, int4: 0x7fff_ffffn };

/** The value to look for, in the stored column's JavaScript form; null: nothing is equal to it. */
export function keyValue({ type, constant }: KeyPart, parameters: readonly Value[]): Value {
  const value = constantValue(constant, parameters);
  if (value === null || constant.type.id === type.id || !INTEGERS.has(type.id)) return value;
  const wide = BigInt(value as number | bigint);
  if (type.id === 'int8') return wide;
  const max = INTEGER_MAX[type.id]!;
  return wide > max || wide < -max - 1n ? null : Number(wide);
}

function constantValue(constant: BoundExpr, parameters: readonly Value[]): Value {
  if (constant.kind === 'parameter') return parameters[constant.index] ?? null;
  const row = [...parameters];
  return evaluateValue(parametersAsColumns(constant, 0), row, {
    settings: DEFAULT_SETTINGS,
    nowUs: 0n,
  });
}

function parametersAsColumns(expr: BoundExpr, width: number): BoundExpr {
  return rewriteExpr(expr, (part) =>
    part.kind === 'parameter'
      ? { kind: 'column', index: width + part.index, type: part.type }
      : part,
  );
}

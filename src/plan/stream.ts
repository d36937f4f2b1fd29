/** From a bound query to a stream plan: what may not be in a view, when it emits, what it promises. */

import { must } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { BindState } from './binder/bind-state.ts';
import type { BoundRelation } from './binder/query.ts';
import type { PlannedView } from './bound-statement.ts';
import { expressionsOf, inputsOf, scannedRelations, visitPlan } from './build.ts';
import { canFail, isVolatile } from './expr-facts.ts';
import { someExpr } from './expr-tree.ts';
import { optimizePlan } from './optimize.ts';
import { assertNoPlaceholders } from './placeholder.ts';
import type { PlanNode, StreamPlan } from './plan-node.ts';
import { catalogProperties, propertiesOf, unboundedState, withProperties } from './properties.ts';

export interface ViewOptions {
  readonly emit: StreamPlan['emit'];
  /** Where EMIT stands, for errors. */
  readonly emitPosition?: number | undefined;
  readonly emitPeriodUs: string | null;
  /** '0': none. */
  readonly allowedLatenessUs: string;
  readonly lateRows: StreamPlan['lateRows'];
  /** null: by what the plan does (semantics.md rule 11). */
  readonly onError: StreamPlan['onError'] | null;
}

export const DEFAULT_VIEW_OPTIONS: ViewOptions = Object.freeze({
  emit: 'update',
  emitPeriodUs: null,
  allowedLatenessUs: '0',
  lateRows: 'dead_letter',
  onError: null,
});

export function planStream(
  bound: BoundRelation,
  options: ViewOptions,
  state: BindState,
): PlannedView {
  const { catalog, optimize } = state.context;
  visitPlan(bound.plan, refuseInView);
  const relations = catalogProperties(catalog);
  const optimized = optimizePlan(bound.plan, {
    optimize: optimize ?? true,
    isView: true,
    relations,
  });
  visitPlan(optimized, refuseNow);
  visitPlan(optimized, refuseProctimeOfChanges);
  assertNoPlaceholders(optimized);
  const node =
    options.emit === 'window_close'
      ? withProperties(emitOnClose(optimized, options), relations)
      : optimized;
  const properties = propertiesOf(node);
  const watermarks = [...new Set(properties.watermarks.map((w) => w.column))];
  const plan: StreamPlan = {
    node,
    key: properties.key,
    emit: options.emit,
    emitPeriodUs: options.emitPeriodUs,
    onError: options.onError ?? defaultOnError(node),
    lateRows: options.lateRows,
    relationIds: scannedRelations(node),
    notices: [...new Set(unboundedState(node))],
  };
  const { key, isAppendOnly } = properties;
  return {
    plan,
    logical: bound.plan,
    columns: bound.columns,
    dependsOn: [...state.relationIds],
    properties: { key, isAppendOnly, watermarks },
  };
}

function refuseInView(node: PlanNode): void {
  if (node.kind === 'scan' && node.relation.kind === 'system') {
    const { schema, name } = node.relation;
    throw notSupported(`a system relation (${schema}.${name}) in a materialized view`);
  }
  for (const expr of expressionsOf(node)) {
    someExpr(expr, (part) => {
      if (part.kind !== 'call' || part.function === PROCTIME) return false;
      if (!isVolatile({ ...part, args: [] })) return false;
      const name = part.function.slice(0, part.function.indexOf('('));
      throw notSupported(`volatile function ${name}() in a materialized view`, {
        position: part.position,
      });
    });
  }
}

const PROCTIME = 'proctime()';

function refuseNow(node: PlanNode): void {
  const reads = expressionsOf(node).some((expr) => someExpr(expr, (part) => part.kind === 'now'));
  if (!reads) return;
  throw notSupported('now() outside a comparison with a column in a materialized view');
}

/** The instant of arrival cannot be found again for a row that is retracted. */
function refuseProctimeOfChanges(node: PlanNode): void {
  const reads = expressionsOf(node).some(readsProctime);
  if (!reads) return;
  const input = inputsOf(node)[0];
  if (node.kind === 'project' && input !== undefined && propertiesOf(input).isAppendOnly) return;
  throw notSupported('proctime() over an input that is not append-only');
}

function readsProctime(expr: BoundExpr): boolean {
  return someExpr(expr, (part) => part.kind === 'call' && part.function === PROCTIME);
}

/** Preferred first; any other column with a watermark does as well. */
const CLOSING_NAMES = ['window_end', 'window_start', 'window_time'];

function emitOnClose(node: PlanNode, options: ViewOptions): PlanNode {
  if (options.allowedLatenessUs !== '0') {
    throw notSupported('allowed_lateness together with EMIT ON WINDOW CLOSE', {
      position: options.emitPosition,
    });
  }
  const { watermarks } = propertiesOf(node);
  const ranked = watermarks.map((w, watermark) => {
    const place = CLOSING_NAMES.indexOf(must(node.columns[w.column]).name);
    return { column: w.column, watermark, rank: place < 0 ? CLOSING_NAMES.length : place };
  });
  const best = ranked.sort((a, b) => a.rank - b.rank)[0];
  if (best === undefined) throw noWatermark(node).at(options.emitPosition);
  const { column, watermark } = best;
  return {
    kind: 'emit_on_close',
    input: node,
    column,
    watermark,
    isStrict: true,
    columns: node.columns,
  };
}

function noWatermark(node: PlanNode): SqlError {
  const missing: string[] = [];
  let reached = false;
  visitPlan(node, (part) => {
    if (part.kind !== 'scan') return;
    if (propertiesOf(part).watermarks.length > 0) reached = true;
    else missing.push(`"${part.relation.name}"`);
  });
  const detail =
    missing.length > 0
      ? `No watermark is read from ${missing.join(', ')}.`
      : reached
        ? 'No output column carries the watermark: put window_end (or the time column) into the select list.'
        : 'The query reads no relation.';
  return new SqlError('42P17', 'EMIT ON WINDOW CLOSE needs a watermark', {
    detail,
    hint: 'Declare one with WATERMARK FOR column AS column - INTERVAL ... on the source or table.',
  });
}

/** A withheld row changes no other row below filters, projections, unions and inner joins. */
export function defaultOnError(node: PlanNode): StreamPlan['onError'] {
  return hasFallibleBelow(node) ? 'fail' : 'withhold';
}

function hasFallibleBelow(node: PlanNode): boolean {
  // An outer join's own condition too: a pair that fails would leave its row without a partner.
  if (combinesRows(node) && isFallible(node)) return true;
  return inputsOf(node).some(hasFallibleBelow);
}

function combinesRows(node: PlanNode): boolean {
  switch (node.kind) {
    case 'aggregate':
    case 'set_operation':
    case 'top_n':
    case 'over':
    case 'unique_key':
      return true;
    case 'window':
      return node.windowKind === 'session';
    case 'join':
      return node.joinKind !== 'inner' && node.joinKind !== 'semi';
    default:
      return false;
  }
}

function isFallible(node: PlanNode): boolean {
  return expressionsOf(node).some(canFail) || inputsOf(node).some(isFallible);
}

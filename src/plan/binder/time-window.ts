/** TUMBLE, HOP, CUMULATE, SESSION in FROM: the time column, constant sizes, and the columns that are added. */

import { assert, must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, WindowFunctionTable } from '../../sql/ast.ts';
import { INTERVAL } from '../../types/data-type.ts';
import { parseInterval } from '../../types/interval.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { pickColumns, range, withExpressions } from '../build.ts';
import { canonicalKey, isTimestampType } from '../expr-facts.ts';
import { mapColumns } from '../expr-tree.ts';
import type { PlanNode, WindowNode } from '../plan-node.ts';
import { foldExpr } from '../rules/fold-constants.ts';
import { aliased, type BoundTable } from './bound-table.ts';
import type { FromBinder } from './from.ts';
import type { Scope } from './scope.ts';

const DAY_US = 86_400_000_000n;

export function bindTimeWindow(
  from: FromBinder,
  ref: WindowFunctionTable,
  base: number,
  lateral: Scope,
): BoundTable {
  const input = from.bind(ref.input, base, lateral);
  const time = timeColumn(from, ref, input);
  const sizes = windowSizes(from, ref);
  const partition = partitionColumns(from, ref, input);
  const width = input.plan.columns.length;
  const timeType = must(input.plan.columns[time]).type;
  const added = ['window_start', 'window_end', 'window_time'].map((name) => ({
    name,
    type: { ...timeType, typmod: -1 },
  }));
  const node: WindowNode = {
    kind: 'window',
    windowKind: ref.function,
    input: partition.node,
    time,
    sizeUs: String(sizes.size),
    slideUs: String(sizes.slide),
    offsetUs: String(sizes.offset),
    partition: partition.indexes,
    watermark: null,
    allowedLatenessUs: from.state.allowedLatenessUs,
    columns: [...partition.node.columns, ...added],
  };
  const extra = partition.node.columns.length;
  const plan: PlanNode = pickColumns(node, [...range(0, width), ...range(extra, extra + 3)]);
  const names = [...input.visible.map((column) => column.name), ...added.map((c) => c.name)];
  const shown = input.visible.map((column) => indexOf(column.expr, base));
  const ordered = pickColumns(plan, [...shown, ...range(width, width + 3)]);
  const only = input.tables.length === 1 ? input.tables[0]?.alias : undefined;
  return aliased(ordered, names, ref.alias, only ?? ref.function, base, ref.position);
}

function indexOf(expr: BoundExpr, base: number): number {
  assert(expr.kind === 'column', 'a window reads plain columns');
  return expr.index - base;
}

function timeColumn(from: FromBinder, ref: WindowFunctionTable, input: BoundTable): number {
  const { position } = ref.timeColumn;
  const bound = from.expressions(input, 'window functions').bind(ref.timeColumn);
  const name = ref.timeColumn.parts.at(-1) as string;
  if (bound.kind !== 'column') {
    throw new SqlError('42703', `column "${name}" does not exist`, { position });
  }
  if (!isTimestampType(bound.type)) {
    const message = `time column "${name}" of ${ref.function.toUpperCase()} must be of type timestamp or timestamptz, not ${plainTypeName(bound.type)}`;
    throw new SqlError('42804', message, { position });
  }
  return bound.index - input.base;
}

function partitionColumns(
  from: FromBinder,
  ref: WindowFunctionTable,
  input: BoundTable,
): { readonly node: PlanNode; readonly indexes: readonly number[] } {
  const binder = from.expressions(input, 'PARTITION BY');
  const keys = ref.partitionBy.map((expr) => {
    const local = mapColumns(binder.bind(expr), (index) => index - input.base);
    return canonicalKey(local);
  });
  return withExpressions(input.plan, keys, 'key');
}

interface Sizes {
  readonly size: bigint;
  readonly slide: bigint;
  readonly offset: bigint;
}

function windowSizes(from: FromBinder, ref: WindowFunctionTable): Sizes {
  const counts = { tumble: [1, 2], hop: [2, 3], cumulate: [2, 3], session: [1, 1] } as const;
  const [least, most] = counts[ref.function];
  const name = ref.function.toUpperCase();
  if (ref.args.length < least || ref.args.length > most) {
    const wanted = least === most ? String(least) : `${least} or ${most}`;
    const message = `${name} takes ${wanted} interval arguments, not ${ref.args.length}`;
    throw new SqlError('42883', message, { position: ref.position });
  }
  const us = ref.args.map((arg, i) => durationUs(from, arg, name, i < least));
  if (ref.function === 'tumble' || ref.function === 'session') {
    const size = must(us[0]);
    return { size, slide: size, offset: us[1] ?? 0n };
  }
  const [slide, size, offset] = [must(us[0]), must(us[1]), us[2] ?? 0n];
  if (ref.function === 'cumulate' && size % slide !== 0n) {
    const message = 'the size of CUMULATE must be a multiple of its step';
    throw new SqlError('22023', message, { position: ref.args[1]?.position });
  }
  return { size, slide, offset };
}

/** A constant of fixed length; months and years are refused, and so is what is not positive (offsets may be). */
export function durationUs(
  from: FromBinder,
  expr: Expr,
  name: string,
  mustBePositive: boolean,
): bigint {
  const { position } = expr;
  const bound = from.expressions(null, `arguments of ${name}`).bind(expr);
  const coerced = from.state.coerce(bound, INTERVAL, 'implicit', position);
  const cast = coerced === null ? null : foldExpr(coerced);
  if (cast === null || cast.kind !== 'literal' || cast.text === null) {
    throw new SqlError('22023', `arguments of ${name} must be constant intervals`, { position });
  }
  const interval = parseInterval(cast.text);
  if (interval.months !== 0) {
    throw new SqlError('22023', `${name} needs a fixed duration: months and years vary`, {
      position,
      hint: 'GROUP BY date_trunc(unit, time, zone) follows the calendar.',
    });
  }
  const us = interval.microseconds + BigInt(interval.days) * DAY_US;
  if (mustBePositive && us <= 0n) {
    throw new SqlError('22023', `${name} needs an interval greater than zero`, { position });
  }
  return us;
}

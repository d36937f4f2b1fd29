/**
 * Expressions over single values: what constants, LIMIT and defaults are computed with, and the meaning that
 * the vectorised evaluation is tested against. O(size of the expression) per row; not for the data path.
 */

import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { ArrayValue } from '../types/array.ts';
import type { Value } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { BoundCall, BoundExpr, BoundLogic } from './bound-expr.ts';
import './builtins.ts';
import { literalValue } from './coerce.ts';
import { type CallContext, mustFunction } from './registry.ts';
import { bodyOf } from './scalar-body.ts';
import type { SystemEnvironment } from './system-environment.ts';

/** What evaluating single values needs: no memory. */
export interface ScalarContext {
  readonly settings: ValueSettings;
  readonly nowUs: bigint;
  readonly system?: SystemEnvironment;
  readonly random?: Random;
  readonly clock?: Clock;
}

/** The value of `expr` over one row of values (`[]` for constants); throws SqlError. */
export function evaluateValue(
  expr: BoundExpr,
  row: readonly Value[],
  context: ScalarContext,
): Value {
  switch (expr.kind) {
    case 'column':
      return row[expr.index] ?? null;
    case 'literal':
      return literalValue(expr);
    case 'parameter':
      throw new SqlError('42P02', `there is no parameter $${expr.index + 1}`);
    case 'call':
      return evaluateCall(expr, row, context);
    case 'and':
    case 'or':
      return evaluateLogic(expr, row, context);
    case 'not': {
      const value = evaluateValue(expr.arg, row, context);
      return value === null ? null : !value;
    }
    case 'is': {
      const value = evaluateValue(expr.arg, row, context);
      const holds = expr.test === 'null' ? value === null : value === (expr.test === 'true');
      return holds !== expr.negated;
    }
    case 'case': {
      const taken = expr.branches.find((b) => evaluateValue(b.condition, row, context) === true);
      const result = taken === undefined ? expr.otherwise : taken.result;
      return result === null ? null : evaluateValue(result, row, context);
    }
    case 'coalesce':
      return firstNonNull(expr.args, row, context);
    case 'now':
      return context.nowUs;
    case 'array':
      return arrayFrom(
        expr.elements.map((element) => evaluateValue(element, row, context)),
        expr,
      );
    default:
      return unreachable(expr);
  }
}

function firstNonNull(
  args: readonly BoundExpr[],
  row: readonly Value[],
  context: ScalarContext,
): Value {
  for (const arg of args) {
    const value = evaluateValue(arg, row, context);
    if (value !== null) return value;
  }
  return null;
}

/** As in evaluation of columns, arguments are taken from left to right; a deciding one ends it. */
function evaluateLogic(expr: BoundLogic, row: readonly Value[], context: ScalarContext): Value {
  const deciding = expr.kind === 'or';
  let sawNull = false;
  for (const arg of expr.args) {
    const value = evaluateValue(arg, row, context);
    if (value === deciding) return deciding;
    if (value === null) sawNull = true;
  }
  return sawNull ? null : !deciding;
}

function evaluateCall(expr: BoundCall, row: readonly Value[], context: ScalarContext): Value {
  const definition = mustFunction(expr.function);
  const args = expr.args.map((arg) => evaluateValue(arg, row, context));
  if (definition.isStrict && args.includes(null)) return null;
  try {
    return bodyOf(definition)(args, callContext(expr, context));
  } catch (error) {
    throw error instanceof SqlError ? error.at(expr.position) : error;
  }
}

export function callContext(expr: BoundCall, context: ScalarContext): CallContext {
  return {
    settings: context.settings,
    argTypes: expr.args.map((arg) => arg.type),
    type: expr.type,
    nowUs: context.nowUs,
    system: context.system ?? null,
    random: context.random ?? null,
    clock: context.clock ?? null,
  };
}

/** ARRAY[...]: values of the element type, or arrays of equal shape, which make one more dimension. */
export function arrayFrom(
  values: readonly Value[],
  expr: BoundExpr & { kind: 'array' },
): ArrayValue {
  const isNested = expr.elements.some((element) => element.type.element !== null);
  if (!isNested) return ArrayValue.of(values);
  if (values.some((value) => value === null)) throw notSupported('NULL among nested arrays');
  return ArrayValue.nest(values as readonly ArrayValue[]);
}

/** Making typed expressions: calls, operators, casts and literals, by the registry's resolution rules. */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { CastContext } from '../expr/casts.ts';
import { coerce } from '../expr/coerce.ts';
import { type ResolvedCall, resolveFunction, resolveOperator } from '../expr/resolve.ts';
import { BOOL, type DataType } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, typeName } from '../types/value.ts';

/** Casts as the statement being bound does them: its settings, and its parameters' types as they become known. */
export interface Coercer {
  /** null: there is no such cast. */
  coerce(
    expr: BoundExpr,
    type: DataType,
    context: CastContext,
    position?: number,
  ): BoundExpr | null;
}

/** For expressions of the planner's own, which hold no parameters and read no settings. */
export const PLAIN_COERCER: Coercer = {
  coerce: (expr, type, context, position) =>
    coerce(expr, type, context, DEFAULT_SETTINGS, position),
};

export function literal(text: string | null, type: DataType): BoundExpr {
  return { kind: 'literal', text, type };
}

/** The call with its arguments coerced to what the chosen overload takes. */
export function makeCall(
  resolved: ResolvedCall,
  args: readonly BoundExpr[],
  coercer: Coercer,
  position?: number,
): BoundExpr {
  const coerced = coerceArgs(resolved, args, coercer, position);
  const call = { kind: 'call', function: resolved.id, args: coerced, type: resolved.type } as const;
  return position === undefined ? call : { ...call, position };
}

export function coerceArgs(
  resolved: ResolvedCall,
  args: readonly BoundExpr[],
  coercer: Coercer,
  position?: number,
): readonly BoundExpr[] {
  return args.map((arg, i) =>
    castTo(arg, must(resolved.argTypes[i]), 'implicit', coercer, position),
  );
}

/** `expr` as a `type`, or 42846. */
export function castTo(
  expr: BoundExpr,
  type: DataType,
  context: CastContext,
  coercer: Coercer = PLAIN_COERCER,
  position?: number,
): BoundExpr {
  const cast = coercer.coerce(expr, type, context, position);
  if (cast !== null) return cast;
  const message = `cannot cast type ${typeName(expr.type)} to ${typeName(type)}`;
  throw new SqlError('42846', message, { position });
}

/** A call that the planner itself adds: an infix operator of two arguments, else a function. */
export function functionCall(name: string, args: readonly BoundExpr[]): BoundExpr {
  const types = args.map((arg) => arg.type);
  const isOperator = !/^[a-z_]/.test(name);
  const resolved = isOperator
    ? resolveOperator(name, must(types[0]), must(types[1]))
    : resolveFunction(name, types);
  return makeCall(resolved, args, PLAIN_COERCER);
}

export function aggregateId(name: string, types: readonly DataType[]): string {
  return resolveFunction(name, types).id;
}

/** Fails where a scalar subquery gives a second row (21000); true otherwise. */
export function singleRowCheck(rank: BoundExpr): BoundExpr {
  return { kind: 'call', function: 'single_row(int8)', args: [rank], type: BOOL };
}

/** Whether LIMIT and OFFSET (NULL: none) want the row of that number, from 1; negative counts are 2201W and 2201X. */
export function rowIsWanted(rank: BoundExpr, limit: BoundExpr, offset: BoundExpr): BoundExpr {
  const args = [rank, limit, offset];
  return { kind: 'call', function: 'row_is_wanted(int8,int8,int8)', args, type: BOOL };
}

/** The representative of a value's equality class, by which keys compare. */
export function canonical(expr: BoundExpr): BoundExpr {
  const resolved = resolveFunction('canonical', [expr.type]);
  return { kind: 'call', function: resolved.id, args: [expr], type: expr.type };
}

/** Calls: scalar functions, aggregates (DISTINCT, ORDER BY, FILTER), window functions, and the few that are special. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import { functionNames } from '../../catalog/system/postgres15.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { isFunctionName, type ResolvedCall, resolveFunction } from '../../expr/resolve.ts';
import type { FunctionCall, WindowFrame, WindowSpec } from '../../sql/ast.ts';
import { SCALAR_TYPES, TIMESTAMPTZ } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { canonicalKey } from '../expr-facts.ts';
import { coerceArgs, makeCall } from '../expr-make.ts';
import { exprKey } from '../expr-tree.ts';
import { numberedPlaceholder } from '../placeholder.ts';
import type { ExpressionBinder } from './expression.ts';
import { positionalArguments } from './named-arguments.ts';
import type { WindowUse } from './select-builder.ts';

const NOW_FUNCTIONS = new Set(['now', 'transaction_timestamp', 'statement_timestamp']);

/** What PostgreSQL has and is not here is refused as such, and not called unknown. */
function refuseUnknownHere(name: string, position: number): void {
  // A type's name calls a cast: int4(x).
  const isType = SCALAR_TYPES.some((type) => type.id === name);
  if (isType || isFunctionName(name) || !functionNames().byName.has(name)) return;
  throw notSupported(`function ${name}`, { position });
}

export function bindFunctionCall(binder: ExpressionBinder, written: FunctionCall): BoundExpr {
  const { position } = written;
  const name = functionName(binder, written);
  const call = { ...written, args: positionalArguments(name, written) };
  if (NOW_FUNCTIONS.has(name) && call.args.length === 0) {
    return { kind: 'now', type: TIMESTAMPTZ };
  }
  refuseUnknownHere(name, position);
  if (call.isVariadic) return bindVariadicCall(binder, call, name);
  if (call.over !== null) return bindWindowCall(binder, call, name, call.over);
  const probe = binder.within({});
  const args = probe.bindAll(call.args.map((arg) => arg.value));
  const resolved = resolveFunction(
    name,
    args.map((arg) => arg.type),
    position,
  );
  switch (resolved.definition.kind) {
    case 'aggregate':
      return bindAggregate(binder, call, name);
    case 'window':
      throw new SqlError('42P20', `window function ${name} requires an OVER clause`, { position });
    case 'table': {
      const message = `set-returning functions are not allowed in ${binder.context.clause}`;
      throw new SqlError('0A000', message, { position, hint: 'Put the function into FROM.' });
    }
    default:
      refuseAggregateSyntax(call, name);
      return makeCall(resolved, args, binder.state, position);
  }
}

/** `f(a, VARIADIC ARRAY[b, c])` is `f(a, b, c)`, the elements being of one type. */
function bindVariadicCall(binder: ExpressionBinder, call: FunctionCall, name: string): BoundExpr {
  const { position } = call;
  const args = binder.within({}).bindAll(call.args.map((arg) => arg.value));
  const last = args.at(-1);
  if (last?.kind !== 'array' || last.elements.length === 0 || call.over !== null) {
    throw notSupported('VARIADIC with other than ARRAY[...]', { position });
  }
  const spread = [...args.slice(0, -1), ...last.elements];
  const resolved = resolveFunction(
    name,
    spread.map((arg) => arg.type),
    position,
  );
  const { kind, variadic, argTypes } = resolved.definition;
  if (variadic === undefined || kind !== 'function' || args.length !== argTypes.length) {
    const types = args.map((arg) => plainTypeName(arg.type)).join(', ');
    throw new SqlError('42883', `function ${name}(${types}) does not exist`, {
      position,
      hint: 'No function matches the given name and argument types. You might need to add explicit type casts.',
    });
  }
  refuseAggregateSyntax(call, name);
  return makeCall(resolved, spread, binder.state, position);
}

/** The folded name; functions live in pg_catalog only. */
export function functionName(binder: ExpressionBinder, call: FunctionCall): string {
  const { parts, position } = call.name;
  const name = parts.at(-1) as string;
  const schema = parts.length > 1 ? (parts.at(-2) as string) : 'pg_catalog';
  if (schema === 'pg_catalog' || schema === 'information_schema') return name;
  const { catalog } = binder.state.context;
  catalog.requireSchema(schema, position);
  throw new SqlError('42883', `function ${parts.join('.')} does not exist`, { position });
}

function refuseAggregateSyntax(call: FunctionCall, name: string): void {
  const { position } = call;
  const refuse = (what: string): SqlError =>
    new SqlError('42809', `${what} specified, but ${name} is not an aggregate function`, {
      position,
    });
  if (call.isStar) {
    throw new SqlError('42809', `${name}(*) specified, but ${name} is not an aggregate function`, {
      position,
    });
  }
  if (call.isDistinct) throw refuse('DISTINCT');
  if (call.orderBy.length > 0) throw refuse('ORDER BY');
  if (call.filter !== null) throw refuse('FILTER');
}

function bindAggregate(binder: ExpressionBinder, call: FunctionCall, name: string): BoundExpr {
  const { position } = call;
  const { aggregates, clause, isInAggregate } = binder.context;
  if (isInAggregate === true) {
    throw new SqlError('42803', 'aggregate function calls cannot be nested', { position });
  }
  if (aggregates === null) {
    throw new SqlError('42803', `aggregate functions are not allowed in ${clause}`, { position });
  }
  if (call.isWithinGroup) throw notSupported('WITHIN GROUP', { position });
  const inside = binder.within({ isInAggregate: true, windows: null, clause: 'aggregate' });
  const args = inside.bindAll(call.args.map((arg) => arg.value));
  const resolved = resolveFunction(
    name,
    args.map((arg) => arg.type),
    position,
  );
  refuseStarMisuse(call, name, resolved);
  const orderBy = call.orderBy.map((key) => inside.sortItem(key));
  if (call.isDistinct && orderBy.length > 0) checkDistinctOrder(call, args, orderBy, position);
  const filter = call.filter === null ? null : inside.condition(call.filter, 'FILTER');
  aggregates.push({
    function: resolved.id,
    name,
    args: aggregateArgs(binder, resolved, args, call),
    isDistinct: call.isDistinct,
    filter,
    orderBy,
    type: resolved.type,
  });
  return numberedPlaceholder('aggregate', aggregates.length - 1, resolved.type, position);
}

/** DISTINCT goes by SQL equality: values of coarser types are compared by their canonical representative. */
function aggregateArgs(
  binder: ExpressionBinder,
  resolved: ResolvedCall,
  args: readonly BoundExpr[],
  call: FunctionCall,
): readonly BoundExpr[] {
  const coerced = coerceArgs(resolved, args, binder.state, call.position);
  return call.isDistinct ? coerced.map(canonicalKey) : coerced;
}

function refuseStarMisuse(call: FunctionCall, name: string, resolved: ResolvedCall): void {
  const { position } = call;
  const isCountStar = name === 'count' && resolved.argTypes.length === 0;
  if (isCountStar && !call.isStar) {
    const message = 'count(*) must be used to call a parameterless aggregate function';
    throw new SqlError('42809', message, { position });
  }
  if (call.isDistinct && call.isStar) {
    throw new SqlError('42601', 'DISTINCT specified, but no argument', { position });
  }
}

function checkDistinctOrder(
  call: FunctionCall,
  args: readonly BoundExpr[],
  orderBy: readonly { readonly expr: BoundExpr }[],
  position: number,
): void {
  const known = new Set(args.map(exprKey));
  const isListed = orderBy.every((item) => known.has(exprKey(item.expr)));
  if (isListed && call.args.length > 0) return;
  const message =
    'in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list';
  throw new SqlError('42P10', message, { position });
}

function bindWindowCall(
  binder: ExpressionBinder,
  call: FunctionCall,
  name: string,
  over: WindowSpec,
): BoundExpr {
  const { position } = call;
  const { windows, clause } = binder.context;
  if (binder.context.isInWindow === true) {
    throw new SqlError('42P20', 'window function calls cannot be nested', { position });
  }
  if (windows === null) {
    throw new SqlError('42P20', `window functions are not allowed in ${clause}`, { position });
  }
  const spec = namedSpec(binder, over);
  if (spec.sessionGap !== null) throw notSupported('SESSION WITH GAP in OVER', { position });
  if (call.isDistinct) throw notSupported('DISTINCT in a window function', { position });
  if (call.filter !== null) throw notSupported('FILTER in a window function', { position });
  if (call.orderBy.length > 0) throw notSupported('ORDER BY in a window function', { position });
  const inside = binder.within({ isInWindow: true });
  const args = inside.bindAll(call.args.map((arg) => arg.value));
  const resolved = resolveFunction(
    name,
    args.map((arg) => arg.type),
    position,
  );
  const { kind } = resolved.definition;
  if (kind !== 'window' && kind !== 'aggregate') {
    const message = `OVER specified, but ${name} is not a window function nor an aggregate function`;
    throw new SqlError('42809', message, { position });
  }
  const orderBy = spec.orderBy.map((key) => inside.sortItem(key));
  const use: WindowUse = {
    function: kind === 'window' ? name : resolved.id,
    name,
    args: coerceArgs(resolved, args, binder.state, position),
    partition: inside.bindAll(spec.partitionBy),
    order: orderBy,
    frame: frameOf(spec.frame, orderBy.length > 0, position),
    type: resolved.type,
  };
  windows.push(use);
  return numberedPlaceholder('window', windows.length - 1, resolved.type, position);
}

function namedSpec(binder: ExpressionBinder, spec: WindowSpec): WindowSpec {
  if (spec.reference === null) return spec;
  const base = binder.context.namedWindows.get(spec.reference);
  if (base === undefined) {
    const message = `window "${spec.reference}" does not exist`;
    throw new SqlError('42704', message, { position: spec.position });
  }
  const resolved = namedSpec(binder, base);
  if (spec.isPlainReference) return resolved;
  return {
    ...spec,
    reference: null,
    partitionBy: resolved.partitionBy,
    orderBy: resolved.orderBy.length > 0 ? resolved.orderBy : spec.orderBy,
  };
}

function frameOf(
  frame: WindowFrame | null,
  isOrdered: boolean,
  position: number,
): WindowUse['frame'] {
  if (frame === null) return isOrdered ? 'range_to_current' : 'partition';
  const unsupported = notSupported('this window frame', { position });
  if (frame.exclusion !== 'none' || frame.start.kind !== 'unbounded_preceding') throw unsupported;
  if (frame.end.kind === 'unbounded_following') return 'partition';
  if (frame.end.kind !== 'current_row' || frame.mode === 'groups') throw unsupported;
  if (frame.mode === 'rows') return 'rows_to_current';
  return isOrdered ? 'range_to_current' : 'partition';
}

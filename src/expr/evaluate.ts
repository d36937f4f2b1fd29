/**
 * Running bound expressions over batches, column at a time.
 *
 * Each part of an expression gives a dense column of the batch's rows. A call runs its vector body where it has one, else
 * its per-value body row by row. Parts that may fail behind a guard (AND, OR, CASE, COALESCE) see only the rows that reach
 * them: those are gathered into a smaller batch, evaluated, and scattered back. A row that fails is NULL and reported.
 */

import { AssertionError, assert, unreachable } from '../base/assert.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { BoundCall, BoundExpr } from './bound-expr.ts';
import './builtins.ts';
import { adaptBody, runByValue } from './adapt.ts';
import { literalValue } from './coerce.ts';
import type { CompiledExpr, CompileOptions, EvalContext } from './eval-context.ts';
import { compileGuarded } from './guarded.ts';
import { type CallContext, type FunctionDefinition, mustFunction, vectorBody } from './registry.ts';
import { arrayFrom } from './scalar.ts';
import { bodyOf } from './scalar-body.ts';
import { allocValues, isValid } from './vector/columns.ts';
import { constantColumn } from './vector/values.ts';

export type { CompiledExpr, CompileOptions, EvalContext } from './eval-context.ts';

/** Compiles `expr`. A row that fails is reported once, with the first of its errors. */
export function compileExpr(expr: BoundExpr, options: CompileOptions): CompiledExpr {
  const compiled = compilePart(expr, options);
  if (!compiled.canFail) return compiled;
  return {
    type: compiled.type,
    canFail: true,
    evaluate: (batch, ctx) => compiled.evaluate(batch, onceByRow(ctx)),
  };
}

function onceByRow(ctx: EvalContext): EvalContext {
  let failed: Set<number> | undefined;
  return {
    ...ctx,
    onError(row, error) {
      failed ??= new Set();
      if (failed.has(row)) return;
      failed.add(row);
      ctx.onError(row, error);
    },
  };
}

function compilePart(expr: BoundExpr, options: CompileOptions): CompiledExpr {
  switch (expr.kind) {
    case 'column':
      return compileColumn(expr.index, expr.type);
    case 'literal': {
      const value = literalValue(expr);
      return {
        type: expr.type,
        canFail: false,
        evaluate: (batch, ctx) => constantColumn(ctx, expr.type, value, batch.rowCount),
      };
    }
    case 'parameter':
      throw new AssertionError('parameters are replaced before a plan runs');
    case 'now':
      return {
        type: expr.type,
        canFail: false,
        evaluate: (batch, ctx) => constantColumn(ctx, expr.type, ctx.nowUs, batch.rowCount),
      };
    case 'call':
      return compileCall(expr, options);
    case 'array': {
      const value = constantOf(expr);
      if (value === undefined) return compileArray(expr, options);
      return {
        type: expr.type,
        canFail: false,
        evaluate: (batch, ctx) => constantColumn(ctx, expr.type, value, batch.rowCount),
      };
    }
    case 'not':
      return compileNot(compilePart(expr.arg, options), expr.type);
    case 'is':
      return compileNullTest(compilePart(expr.arg, options), expr);
    case 'and':
    case 'or':
    case 'case':
    case 'coalesce':
      return compileGuarded(expr, (part) => compilePart(part, options));
    default:
      return unreachable(expr);
  }
}

function compileColumn(index: number, type: DataType): CompiledExpr {
  return {
    type,
    canFail: false,
    evaluate(batch) {
      const column = batch.columns[index];
      assert(column !== undefined, `column ${index} is not in the batch`);
      return column;
    },
  };
}

function compileCall(expr: BoundCall, options: CompileOptions): CompiledExpr {
  const definition = mustFunction(expr.function);
  assert(
    !(options.isInView && definition.volatility === 'volatile'),
    `volatile function ${definition.id} in a view`,
  );
  const vector = definition.vector ?? vectorBody(definition.id);
  if (vector === undefined) return compileByValue(expr, definition, options);
  const args = expr.args.map((arg) => compilePart(arg, options));
  const argTypes = args.map((arg) => arg.type);
  const { type, position } = expr;
  return {
    type,
    canFail: definition.canFail || args.some((arg) => arg.canFail),
    evaluate(batch, ctx) {
      const columns = args.map((arg) => arg.evaluate(batch, ctx));
      const call = contextOf(ctx, options.settings, argTypes, type);
      return vector(columns, batch.rowCount, positioned(ctx, position), call);
    },
  };
}

/** A call without a vector body: row by row, constants as values. */
function compileByValue(
  expr: BoundCall,
  definition: FunctionDefinition,
  options: CompileOptions,
): CompiledExpr {
  const args = expr.args.map((arg) => {
    const constant = constantOf(arg);
    return constant === undefined ? compilePart(arg, options) : { value: constant };
  });
  const argTypes = expr.args.map((arg) => arg.type);
  const body = bodyOf(definition);
  const { type, position } = expr;
  return {
    type,
    canFail: definition.canFail || args.some((arg) => 'evaluate' in arg && arg.canFail),
    evaluate(batch, ctx) {
      const inputs = args.map((arg) =>
        'evaluate' in arg
          ? { column: arg.evaluate(batch, ctx) }
          : { column: null, value: arg.value },
      );
      const call = contextOf(ctx, options.settings, argTypes, type);
      const outer = positioned(ctx, position);
      return runByValue(body, definition.isStrict, inputs, batch.rowCount, outer, call);
    },
  };
}

/** The value of a literal or of ARRAY[literals]; undefined: not constant. */
function constantOf(expr: BoundExpr): Value | undefined {
  if (expr.kind === 'literal') return literalValue(expr);
  if (expr.kind !== 'array' || !expr.elements.every((element) => element.kind === 'literal')) {
    return undefined;
  }
  return arrayFrom(expr.elements.map(literalValue), expr);
}

function contextOf(
  ctx: EvalContext,
  settings: ValueSettings,
  argTypes: readonly DataType[],
  type: DataType,
): CallContext {
  return {
    settings,
    argTypes,
    type,
    nowUs: ctx.nowUs,
    system: ctx.system ?? null,
    random: ctx.random ?? null,
    clock: ctx.clock ?? null,
  };
}

/** Errors get the position of the call that raised them. */
function positioned(ctx: EvalContext, position: number | undefined): EvalContext {
  if (position === undefined) return ctx;
  return { ...ctx, onError: (row, error) => ctx.onError(row, error.at(position)) };
}

function compileArray(expr: BoundExpr & { kind: 'array' }, options: CompileOptions): CompiledExpr {
  const elements = expr.elements.map((element) => compilePart(element, options));
  const argTypes = elements.map((element) => element.type);
  const body = adaptBody((values) => arrayFrom(values, expr), false);
  return {
    type: expr.type,
    canFail: true,
    evaluate(batch, ctx) {
      const columns = elements.map((element) => element.evaluate(batch, ctx));
      return body(
        columns,
        batch.rowCount,
        ctx,
        contextOf(ctx, options.settings, argTypes, expr.type),
      );
    },
  };
}

function compileNot(arg: CompiledExpr, type: DataType): CompiledExpr {
  return {
    type,
    canFail: arg.canFail,
    evaluate(batch, ctx) {
      const column = arg.evaluate(batch, ctx);
      const values = allocValues(ctx, 'u8', batch.rowCount);
      const { u8 } = ctx.memory;
      for (let i = 0; i < batch.rowCount; i += 1) u8[values + i] = u8[column.values + i]! ^ 1;
      return { storage: 'u8', values, validity: column.validity };
    },
  };
}

function compileNullTest(arg: CompiledExpr, expr: BoundExpr & { kind: 'is' }): CompiledExpr {
  const { test, negated } = expr;
  return {
    type: expr.type,
    canFail: arg.canFail,
    evaluate(batch, ctx) {
      const column = arg.evaluate(batch, ctx);
      const values = allocValues(ctx, 'u8', batch.rowCount);
      const { memory } = ctx;
      const { u8 } = memory;
      const wanted = test === 'true' ? 1 : 0;
      for (let i = 0; i < batch.rowCount; i += 1) {
        const isThere = isValid(memory, column.validity, i);
        const holds = test === 'null' ? !isThere : isThere && u8[column.values + i] === wanted;
        u8[values + i] = holds !== negated ? 1 : 0;
      }
      return { storage: 'u8', values, validity: 0 };
    },
  };
}

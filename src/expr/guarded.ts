/**
 * AND, OR, CASE and COALESCE over batches: a part that may fail is evaluated only on the rows that reach it.
 *
 * `Rows` = null stands for all rows of the batch. Narrowed parts are evaluated on a gathered batch; its row numbers are
 * translated back where errors are reported. Cost: O(rows) for each part, plus the gather of the columns that it reads.
 */

import { must, unreachable } from '../base/assert.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { BoundExpr } from './bound-expr.ts';
import type { CompiledExpr, EvalContext } from './eval-context.ts';
import {
  allocBitmap,
  allocValues,
  gatherColumn,
  isValid,
  nullColumn,
  scatterColumn,
  setBit,
} from './vector/columns.ts';

type Compile = (expr: BoundExpr) => CompiledExpr;
type Guarded = Extract<BoundExpr, { kind: 'and' | 'or' | 'case' | 'coalesce' }>;

/** A part with the columns that it reads. */
interface Part {
  readonly compiled: CompiledExpr;
  readonly columns: ReadonlySet<number>;
}

export function compileGuarded(expr: Guarded, compile: Compile): CompiledExpr {
  const part = (e: BoundExpr): Part => ({
    compiled: compile(e),
    columns: columnsRead(e, new Set()),
  });
  switch (expr.kind) {
    case 'and':
    case 'or':
      return compileLogic(expr, expr.args.map(part));
    case 'coalesce':
      return compileCoalesce(expr, expr.args.map(part));
    case 'case':
      return compileCase(
        expr,
        expr.branches.map((b) => ({ condition: part(b.condition), result: part(b.result) })),
        expr.otherwise === null ? null : part(expr.otherwise),
      );
    default:
      return unreachable(expr);
  }
}

function columnsRead(expr: BoundExpr, into: Set<number>): Set<number> {
  if (expr.kind === 'column') into.add(expr.index);
  for (const child of partsOf(expr)) columnsRead(child, into);
  return into;
}

function partsOf(expr: BoundExpr): readonly BoundExpr[] {
  switch (expr.kind) {
    case 'call':
    case 'and':
    case 'or':
    case 'coalesce':
      return expr.args;
    case 'not':
    case 'is':
      return [expr.arg];
    case 'array':
      return expr.elements;
    case 'case': {
      const branches = expr.branches.flatMap((b) => [b.condition, b.result]);
      return expr.otherwise === null ? branches : [...branches, expr.otherwise];
    }
    default:
      return [];
  }
}

/** The part's column over `rows` of the batch (all: null), one value for each of those rows. */
function evaluateOn(
  part: Part,
  batch: DeltaBatch,
  rows: Uint32Array | null,
  ctx: EvalContext,
): Column {
  if (rows === null) return part.compiled.evaluate(batch, ctx);
  const none: Column = { storage: 'u8', values: 0, validity: 0 };
  const columns = batch.columns.map((column, i) =>
    part.columns.has(i) ? gatherColumn(ctx, column, rows) : none,
  );
  const narrowed: DeltaBatch = {
    memory: batch.memory,
    rowCount: rows.length,
    columns,
    weights: 0,
    rowWatermarks: 0,
  };
  const inner: EvalContext = { ...ctx, onError: (row, error) => ctx.onError(rows[row]!, error) };
  return part.compiled.evaluate(narrowed, inner);
}

/** `rows` (null: 0..count) whose value in `column` passes `test`; null where that is all of them and `rows` is null. */
function selectRows(
  rows: Uint32Array | null,
  count: number,
  test: (index: number) => boolean,
): Uint32Array | null {
  const found = new Uint32Array(rows === null ? count : rows.length);
  let n = 0;
  const total = found.length;
  for (let i = 0; i < total; i += 1) if (test(i)) found[n++] = rows === null ? i : rows[i]!;
  return rows === null && n === count ? null : found.subarray(0, n);
}

/** State of a row in AND / OR: u8 value and validity of what is known so far. */
function compileLogic(expr: Guarded, parts: readonly Part[]): CompiledExpr {
  const deciding = expr.kind === 'or' ? 1 : 0;
  const first = must(parts[0], 'AND and OR have arguments');
  return {
    type: expr.type,
    canFail: parts.some((part) => part.compiled.canFail),
    evaluate(batch, ctx) {
      let result = first.compiled.evaluate(batch, ctx);
      for (const part of parts.slice(1)) result = combine(part, result, deciding, batch, ctx);
      return result;
    },
  };
}

function combine(
  part: Part,
  left: Column,
  deciding: number,
  batch: DeltaBatch,
  ctx: EvalContext,
): Column {
  const n = batch.rowCount;
  const isOpen = (row: number): boolean =>
    !isValid(ctx.memory, left.validity, row) || ctx.memory.u8[left.values + row] !== deciding;
  const rows = part.compiled.canFail ? selectRows(null, n, isOpen) : null;
  if (rows !== null && rows.length === 0) return left;
  const narrow = evaluateOn(part, batch, rows, ctx);
  const right = rows === null ? narrow : spread(narrow, rows, n, ctx);
  return deciding === 0 ? andColumns(left, right, n, ctx) : orColumns(left, right, n, ctx);
}

/** A column over all rows from one over some; the other rows are NULL. */
function spread(column: Column, rows: Uint32Array, rowCount: number, ctx: EvalContext): Column {
  const target = nullColumn(ctx, column.storage, rowCount);
  scatterColumn(ctx, column, rows, target);
  return target;
}

function andColumns(a: Column, b: Column, n: number, ctx: EvalContext): Column {
  const values = allocValues(ctx, 'u8', n);
  const { memory } = ctx;
  if (a.validity === 0 && b.validity === 0) {
    const { u8 } = memory;
    for (let i = 0; i < n; i += 1) u8[values + i] = u8[a.values + i]! & u8[b.values + i]!;
    return { storage: 'u8', values, validity: 0 };
  }
  return threeValued(a, b, n, ctx, values, 0);
}

function orColumns(a: Column, b: Column, n: number, ctx: EvalContext): Column {
  const values = allocValues(ctx, 'u8', n);
  const { memory } = ctx;
  if (a.validity === 0 && b.validity === 0) {
    const { u8 } = memory;
    for (let i = 0; i < n; i += 1) u8[values + i] = u8[a.values + i]! | u8[b.values + i]!;
    return { storage: 'u8', values, validity: 0 };
  }
  return threeValued(a, b, n, ctx, values, 1);
}

function threeValued(
  a: Column,
  b: Column,
  n: number,
  ctx: EvalContext,
  values: number,
  deciding: number,
): Column {
  const validity = allocBitmap(ctx, n, false);
  const { memory } = ctx;
  const { u8 } = memory;
  for (let i = 0; i < n; i += 1) {
    const aThere = isValid(memory, a.validity, i);
    const bThere = isValid(memory, b.validity, i);
    const isDecided =
      (aThere && u8[a.values + i] === deciding) || (bThere && u8[b.values + i] === deciding);
    u8[values + i] = isDecided ? deciding : deciding ^ 1;
    if (isDecided || (aThere && bThere)) setBit(memory, validity, i);
  }
  return { storage: 'u8', values, validity };
}

function compileCoalesce(expr: Guarded, parts: readonly Part[]): CompiledExpr {
  const storage = expr.type.storage;
  return {
    type: expr.type,
    canFail: parts.some((part) => part.compiled.canFail),
    evaluate(batch, ctx) {
      const first = must(parts[0]).compiled.evaluate(batch, ctx);
      if (first.validity === 0) return first;
      const n = batch.rowCount;
      const target = nullColumn(ctx, storage, n);
      const all = Uint32Array.from({ length: n }, (_, i) => i);
      scatterColumn(ctx, first, all, target);
      fillNulls(parts.slice(1), target, batch, ctx);
      return target;
    },
  };
}

function fillNulls(
  parts: readonly Part[],
  target: Column,
  batch: DeltaBatch,
  ctx: EvalContext,
): void {
  for (const part of parts) {
    const isMissing = (row: number): boolean => !isValid(ctx.memory, target.validity, row);
    const rows = selectRows(null, batch.rowCount, isMissing) ?? allRows(batch.rowCount);
    if (rows.length === 0) return;
    scatterColumn(ctx, evaluateOn(part, batch, rows, ctx), rows, target);
  }
}

function allRows(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

function compileCase(
  expr: Guarded,
  branches: readonly { readonly condition: Part; readonly result: Part }[],
  otherwise: Part | null,
): CompiledExpr {
  const storage = expr.type.storage;
  const parts = branches.flatMap((b) => [b.condition, b.result]);
  const all = otherwise === null ? parts : [...parts, otherwise];
  return {
    type: expr.type,
    canFail: all.some((part) => part.compiled.canFail),
    evaluate(batch, ctx) {
      const n = batch.rowCount;
      const target = nullColumn(ctx, storage, n);
      let left: Uint32Array | null = null;
      for (const { condition, result } of branches) {
        const column = evaluateOn(condition, batch, left, ctx);
        const parts = partition(column, left, n, ctx);
        place(result, batch, parts.taken, target, ctx);
        left = parts.left;
        if (left.length === 0) return target;
      }
      if (otherwise !== null) place(otherwise, batch, left, target, ctx);
      return target;
    },
  };
}

interface Partition {
  /** Rows whose condition is true. */
  readonly taken: Uint32Array;
  readonly left: Uint32Array;
}

/** `rows` (null: all) by the condition's column over them. */
function partition(
  column: Column,
  rows: Uint32Array | null,
  rowCount: number,
  ctx: EvalContext,
): Partition {
  const total = rows === null ? rowCount : rows.length;
  const taken = new Uint32Array(total);
  const left = new Uint32Array(total);
  const { memory } = ctx;
  const { u8 } = memory;
  let takenCount = 0;
  let leftCount = 0;
  for (let i = 0; i < total; i += 1) {
    const row = rows === null ? i : rows[i]!;
    if (u8[column.values + i] === 1 && isValid(memory, column.validity, i))
      taken[takenCount++] = row;
    else left[leftCount++] = row;
  }
  return { taken: taken.subarray(0, takenCount), left: left.subarray(0, leftCount) };
}

function place(
  part: Part,
  batch: DeltaBatch,
  rows: Uint32Array | null,
  target: Column,
  ctx: EvalContext,
): void {
  if (rows !== null && rows.length === 0) return;
  const isAll = rows === null || rows.length === batch.rowCount;
  const column = evaluateOn(part, batch, isAll ? null : rows, ctx);
  scatterColumn(ctx, column, rows ?? allRows(batch.rowCount), target);
}

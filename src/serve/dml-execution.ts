/**
 * DmlExecution: INSERT, UPDATE and DELETE of planned rows into a transaction's write set, with the table's constraints.
 *
 * Rows come packed (the query that gave them has ended, so that it never sees what the statement writes). NOT NULL, then
 * CHECK, then keys, as PostgreSQL judges them. ON CONFLICT is judged row by row, everything else batch by batch.
 */

import { must } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { type Column, type DeltaBatch, storageWidth } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import { readValue } from '../batch/read-value.ts';
import { selectRange } from '../batch/select.ts';
import { type CompiledExpr, compileExpr, type EvalContext } from '../expr/evaluate.ts';
import type { DmlPlan, InsertPlan, OnConflictPlan } from '../plan/bound-statement.ts';
import type { DataType } from '../types/data-type.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import type { QueryMemory } from './query-memory.ts';
import { atRunTime } from './run-time-error.ts';
import type { Collision, TableWrites } from './write-set.ts';

export interface DmlRequest {
  readonly plan: DmlPlan;
  readonly writes: TableWrites;
  readonly tableName: string;
  readonly columnNames: readonly string[];
  readonly statement: number;
  readonly settings: ValueSettings;
  /** What expressions are evaluated with, but for the memory. */
  readonly evaluation: Omit<EvalContext, 'memory' | 'scratch' | 'onError'>;
  readonly memory: QueryMemory;
  /** Takes RETURNING's rows (columns of the clause). */
  readonly onReturning: ((batch: DeltaBatch) => void) | null;
}

interface Check {
  readonly name: string;
  readonly expr: CompiledExpr;
}

export class DmlExecution {
  readonly #request: DmlRequest;
  readonly #types: readonly DataType[];
  readonly #checks: readonly Check[];
  readonly #returning: readonly CompiledExpr[];
  readonly #conflict: {
    readonly plan: OnConflictPlan;
    readonly newRow: readonly CompiledExpr[];
    readonly where: CompiledExpr | null;
  } | null;
  #affected = 0;

  constructor(request: DmlRequest) {
    this.#request = request;
    const { plan } = request;
    this.#types = request.writes.table.types;
    const compile = (expr: Parameters<typeof compileExpr>[0]) =>
      compileExpr(expr, { settings: request.settings, isInView: false });
    this.#checks = plan.checks.map(({ name, expr }) => ({ name, expr: compile(expr) }));
    this.#returning = plan.returning?.expressions.map(compile) ?? [];
    const conflict = plan.kind === 'insert' ? plan.onConflict : null;
    this.#conflict =
      conflict === null
        ? null
        : {
            plan: conflict,
            newRow: conflict.newRow.map(compile),
            where: conflict.where === null ? null : compile(conflict.where),
          };
    if (
      plan.kind === 'update' &&
      plan.rows.visibleCount > 2 * plan.columnCount &&
      plan.keys.length === 0
    ) {
      throw notSupported('UPDATE ... FROM on a table without a primary key');
    }
  }

  /** Rows inserted, updated or deleted. */
  get affected(): number {
    return this.#affected;
  }

  /** Does it all in bounded steps; `packed` are the plan's rows. */
  *run(packed: readonly Uint8Array[]): Generator<void> {
    const { plan } = this.#request;
    const { columnCount } = { columnCount: this.#types.length, ...plan };
    if (plan.kind === 'insert') yield* this.#each(packed, (batch) => this.#insert(batch, plan));
    else if (plan.kind === 'delete') {
      yield* this.#each(packed, (batch) => {
        this.#remove(batch);
        this.#return(batch, 0, columnCount, columnCount);
      });
    } else {
      yield* this.#each(packed, (batch) => this.#remove(batch));
      yield* this.#each(packed, (batch) => {
        this.#put(columnsFrom(batch, columnCount, columnCount));
        this.#return(batch, columnCount, columnCount, 2 * columnCount);
      });
    }
  }

  /** Rows of all columns of the table, as COPY brings them. */
  insertBatch(batch: DeltaBatch): void {
    this.#put(batch);
    this.#affected += batch.rowCount;
  }

  *#each(packed: readonly Uint8Array[], work: (batch: DeltaBatch) => void): Generator<void> {
    const { scratch } = this.#request.memory;
    for (const bytes of packed) {
      const mark = scratch.mark();
      for (const batch of unpackBatch(bytes, scratch)) work(batch);
      scratch.release(mark);
      yield;
    }
  }

  #insert(batch: DeltaBatch, plan: InsertPlan): void {
    const rows = columnsFrom(batch, 0, this.#types.length);
    if (plan.onConflict === null) {
      this.#put(rows);
      this.#affected += rows.rowCount;
      this.#return(rows, 0, this.#types.length, this.#types.length);
      return;
    }
    for (let row = 0; row < rows.rowCount; row++) {
      const { scratch } = this.#request.memory;
      const mark = scratch.mark();
      this.#insertOrResolve(selectRange(rows, row, 1, scratch));
      scratch.release(mark);
    }
  }

  /** One row of INSERT ... ON CONFLICT. */
  #insertOrResolve(row: DeltaBatch): void {
    const { writes, statement } = this.#request;
    const { plan } = must(this.#conflict);
    this.#checkRows(row);
    const collision = writes.collisions(row, plan.key, statement)[0];
    if (collision === undefined) {
      this.#put(row);
      this.#count(row);
    } else if (plan.action === 'update') this.#resolve(row, collision);
  }

  #resolve(row: DeltaBatch, collision: Collision): void {
    const { writes, statement } = this.#request;
    const { newRow, where } = must(this.#conflict);
    const { existing } = collision;
    if (existing.kind === 'written' && existing.isThisStatement) {
      throw new SqlError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', {
        hint: 'Ensure that no rows proposed for insertion within the same command have duplicate constrained values.',
      });
    }
    const old =
      existing.kind === 'published'
        ? selectRange(existing.batch, existing.row, 1, this.#request.memory.scratch)
        : this.#copyWritten(existing.id);
    const both: DeltaBatch = {
      ...old,
      columns: [...old.columns, ...row.columns],
      weights: 0,
      rowWatermarks: 0,
    };
    const context = this.#evalContext();
    if (where !== null && !isTrue(both, where.evaluate(both, context))) return;
    const next: DeltaBatch = {
      ...both,
      columns: newRow.map((expr) => expr.evaluate(both, context)),
    };
    writes.remove(old, statement);
    this.#put(next);
    this.#count(next);
  }

  #count(row: DeltaBatch): void {
    this.#affected += row.rowCount;
    this.#return(row, 0, this.#types.length, this.#types.length);
  }

  #remove(batch: DeltaBatch): void {
    const { writes, statement, plan } = this.#request;
    const columnCount = plan.kind === 'insert' ? this.#types.length : plan.columnCount;
    writes.remove({ ...columnsFrom(batch, 0, columnCount), weights: 0 }, statement);
    this.#affected += batch.rowCount;
  }

  /** Checks the rows and puts them in. */
  #put(rows: DeltaBatch): void {
    this.#checkRows(rows);
    const { writes, statement } = this.#request;
    const collision = writes.insert({ ...rows, weights: 0 }, statement);
    if (collision !== null) throw this.#duplicate(rows, collision);
  }

  #checkRows(rows: DeltaBatch): void {
    for (const column of this.#request.plan.notNull) this.#checkNotNull(rows, column);
    const context = this.#evalContext();
    for (const { name, expr } of this.#checks)
      this.#check(rows, name, expr.evaluate(rows, context));
  }

  #checkNotNull(rows: DeltaBatch, index: number): void {
    const column = must(rows.columns[index]);
    if (column.validity === 0) return;
    for (let row = 0; row < rows.rowCount; row++) {
      if (isValidAt(rows, column, row)) continue;
      const { tableName, columnNames } = this.#request;
      const name = must(columnNames[index]);
      throw new SqlError(
        '23502',
        `null value in column "${name}" of relation "${tableName}" violates not-null constraint`,
        {
          detail: this.#failingRow(rows, row),
          table: tableName,
          column: name,
        },
      );
    }
  }

  #check(rows: DeltaBatch, name: string, result: Column): void {
    for (let row = 0; row < rows.rowCount; row++) {
      if (!isValidAt(rows, result, row) || rows.memory.u8[result.values + row] !== 0) continue;
      const { tableName } = this.#request;
      throw new SqlError(
        '23514',
        `new row for relation "${tableName}" violates check constraint "${name}"`,
        {
          detail: this.#failingRow(rows, row),
          table: tableName,
          constraint: name,
        },
      );
    }
  }

  #duplicate(rows: DeltaBatch, { row, key }: Collision): SqlError {
    const { tableName, columnNames } = this.#request;
    const names = key.columns.map((column) => columnNames[column]).join(', ');
    const values = key.columns.map((column) => this.#text(rows, column, row)).join(', ');
    return new SqlError('23505', `duplicate key value violates unique constraint "${key.name}"`, {
      detail: `Key (${names})=(${values}) already exists.`,
      table: tableName,
      constraint: key.name,
    });
  }

  #failingRow(rows: DeltaBatch, row: number): string {
    return `Failing row contains (${this.#types.map((_, column) => this.#text(rows, column, row)).join(', ')}).`;
  }

  #text(rows: DeltaBatch, index: number, row: number): string {
    const type = must(this.#types[index]);
    const value = readValue(rows.memory, must(rows.columns[index]), type, row);
    return value === null ? 'null' : formatValue(type, value, this.#request.settings);
  }

  /** RETURNING over `count` columns from `from`, and those behind `extra` (what FROM or USING gave). */
  #return(batch: DeltaBatch, from: number, count: number, extra: number): void {
    const { onReturning } = this.#request;
    if (onReturning === null) return;
    const seen: DeltaBatch = {
      ...batch,
      weights: 0,
      columns: [...batch.columns.slice(from, from + count), ...batch.columns.slice(extra)],
    };
    const context = this.#evalContext();
    onReturning({ ...seen, columns: this.#returning.map((expr) => expr.evaluate(seen, context)) });
  }

  /** A row of the write set, in this statement's memory. */
  #copyWritten(id: number): DeltaBatch {
    return this.#request.writes.writtenRow(id, this.#request.memory.scratch);
  }

  #evalContext(): EvalContext {
    const { memory, scratch } = this.#request.memory;
    return {
      ...this.#request.evaluation,
      memory,
      scratch,
      onError: (_row, error) => {
        throw atRunTime(error);
      },
    };
  }
}

function columnsFrom(batch: DeltaBatch, from: number, count: number): DeltaBatch {
  return {
    ...batch,
    weights: 0,
    rowWatermarks: 0,
    columns: batch.columns.slice(from, from + count),
  };
}

function isValidAt(batch: DeltaBatch, column: Column, row: number): boolean {
  return (
    column.validity === 0 ||
    ((batch.memory.u8[column.validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1
  );
}

function isTrue(batch: DeltaBatch, column: Column): boolean {
  return (
    isValidAt(batch, column, 0) &&
    batch.memory.u8[column.values] === 1 &&
    storageWidth(column.storage) === 1
  );
}

/**
 * COPY ... FROM STDIN: the client's chunks as records, the records as columns of the table, the columns as inserted rows.
 *
 * Algorithm: records are decoded into typed columns, 1024 rows at a time; what an INSERT of those columns computes for the
 * others (defaults, generated columns) and for them (lengths, casts) is evaluated over the batch; then constraints and write
 * set as for any INSERT. Cost: O(1) a row and column; a record that is not whole is looked at again only when the bytes that
 * wait have doubled.
 */

import { assert, must } from '../base/assert.ts';
import { SqlError, sqlErrorOf } from '../base/sql-error.ts';
import { ColumnBuilder } from '../batch/column-builder.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { TableObject } from '../catalog/objects.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { type CompiledExpr, compileExpr, type EvalContext } from '../expr/evaluate.ts';
import { CopyTextDecoder } from '../formats/copy-text.ts';
import { CsvDecoder } from '../formats/csv.ts';
import type { RecordDecoder } from '../formats/record-decoder.ts';
import type { InsertPlan } from '../plan/bound-statement.ts';
import { rewriteExpr } from '../plan/expr-tree.ts';
import type { PlanNode } from '../plan/plan-node.ts';
import { planDml } from '../plan/planner.ts';
import type { DmlExecution } from '../serve/dml-execution.ts';
import type { QueryMemory } from '../serve/query-memory.ts';
import { Slice } from '../serve/slice.ts';
import type { Copy, Insert } from '../sql/statements.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { inputValue, type ValueSettings } from '../types/value.ts';
import type { CopyOptions } from './copy-options.ts';
import type { SessionState } from './session-state.ts';
import { dmlExecution } from './table-access.ts';

const ROWS_A_BATCH = 1024;
/** A record longer than this is refused (54000). */
const RECORD_BYTES_MAX = 64 * 2 ** 20;
/** Bytes that wait for the end of a record before they are looked at less often. */
const EAGER_BYTES = 256 * 1024;

/** Characters of a field that an error's context shows. */
const SHOWN_MAX = 100;

/** Takes a field's text as the type's input form. */
class InputBuilder extends ColumnBuilder {
  readonly #name: string;
  readonly #settings: ValueSettings;

  constructor(memory: QueryMemory, name: string, type: DataType, settings: ValueSettings) {
    super(memory.memory, memory.scratch, type, ROWS_A_BATCH);
    this.#name = name;
    this.#settings = settings;
  }

  override appendValue(text: Value): void {
    super.appendValue(text === null ? null : this.#input(String(text)));
  }

  /** The value; its error tells of the column and of the text, as PostgreSQL's context does. */
  #input(text: string): Value {
    try {
      return inputValue(this.type, text, this.#settings);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
      const where = `column ${this.#name}: "${shown}"`;
      throw new SqlError(error.sqlstate, error.message, { ...error.fields, where });
    }
  }
}

export class CopyInput {
  readonly #table: TableObject;
  readonly #session: SessionState;
  readonly #memory: QueryMemory;
  readonly #names: readonly string[];
  readonly #types: readonly DataType[];
  readonly #decoder: RecordDecoder;
  readonly #text: CopyTextDecoder | null;
  readonly #stages: readonly (readonly CompiledExpr[])[];
  readonly #execution: DmlExecution;
  readonly #slice: Slice;
  readonly #mark: number;
  #builders: readonly ColumnBuilder[];
  #bytes: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #line = 1;
  #skipHeader: boolean;
  #hasEnded = false;
  #rowCount = 0;
  #firstLine = 1;

  constructor(
    ast: Copy,
    options: CopyOptions,
    table: TableObject,
    session: SessionState,
    memory: QueryMemory,
  ) {
    this.#table = table;
    this.#session = session;
    this.#memory = memory;
    this.#slice = new Slice(session.signal);
    const plan = insertPlan(ast, table, session);
    const settings = session.valueSettings;
    const columns = copiedColumns(ast, table);
    this.#names = columns.map((column) => column.name);
    this.#types = columns.map((column) => column.type);
    this.#stages = stagesOf(plan.rows.node, (expr) =>
      compileExpr(expr, { settings, isInView: false }),
    );
    this.#execution = dmlExecution(plan, table, 'row', session, memory, null);
    this.#skipHeader = options.hasHeader;
    this.#text = options.format === 'text' ? new CopyTextDecoder(options, this.#names) : null;
    this.#decoder =
      this.#text ??
      new CsvDecoder({ ...options, hasHeader: false }, columns, this.#names, settings);
    this.#mark = memory.scratch.mark();
    this.#builders = this.#newBuilders();
  }

  get columnCount(): number {
    return this.#names.length;
  }

  /** Rows put in. */
  get rowCount(): number {
    return this.#execution.affected;
  }

  async take(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    const waiting = this.#bytes.length;
    if (waiting + this.#chunkBytes > RECORD_BYTES_MAX + EAGER_BYTES && waiting > EAGER_BYTES) {
      const message = `a record of COPY is longer than ${RECORD_BYTES_MAX} bytes`;
      throw this.#at(new SqlError('54000', message));
    }
    if (waiting > EAGER_BYTES && this.#chunkBytes < waiting) return;
    await this.#decode(false);
  }

  async finish(): Promise<void> {
    await this.#decode(true);
    this.#write();
  }

  async #decode(isLast: boolean): Promise<void> {
    if (this.#chunks.length > 0) {
      this.#bytes = Buffer.concat([this.#bytes, ...this.#chunks]);
      this.#chunks = [];
      this.#chunkBytes = 0;
    }
    let at = 0;
    while (!this.#hasEnded && at < this.#bytes.length) {
      const next = this.#decoder.scan(this.#bytes, at, this.#bytes.length, isLast);
      if (next < 0) break;
      this.#record(at, next);
      at = next;
      if (this.#hasEnded) break;
      this.#line += this.#decoder.lineCount;
      if (this.#rowCount < ROWS_A_BATCH) continue;
      this.#write();
      await this.#slice.pause();
    }
    this.#bytes = this.#hasEnded ? Buffer.alloc(0) : this.#bytes.subarray(at);
  }

  #record(start: number, end: number): void {
    if (this.#isEndMarker(start, end)) this.#hasEnded = true;
    else if (this.#skipHeader) this.#skipHeader = false;
    else if (!this.#decoder.isBlank || this.#text !== null) {
      const error = this.#decoder.append(this.#bytes, this.#builders);
      if (error !== null) {
        this.#firstLine = this.#line;
        throw this.#at(sqlErrorOf(error));
      }
      this.#rowCount++;
    }
  }

  /** A line `\\.` alone ends the data, in CSV too. */
  #isEndMarker(start: number, end: number): boolean {
    if (this.#text !== null) return this.#text.isEnd;
    if (end - start > 4 || this.#bytes[start] !== 0x5c || this.#bytes[start + 1] !== 0x2e)
      return false;
    return /^\\\.\r?\n?$/.test(this.#bytes.toString('latin1', start, end));
  }

  #newBuilders(): ColumnBuilder[] {
    const { memory, scratch } = this.#memory;
    const settings = this.#session.valueSettings;
    return this.#types.map((type, index) =>
      this.#text === null
        ? new ColumnBuilder(memory, scratch, type, ROWS_A_BATCH)
        : new InputBuilder(this.#memory, this.#names[index]!, type, settings),
    );
  }

  /** Puts the rows that wait into the write set. */
  #write(): void {
    const { scratch } = this.#memory;
    if (this.#rowCount > 0) {
      try {
        this.#execution.insertBatch(this.#wholeRows());
      } catch (error) {
        throw this.#at(error);
      }
    }
    this.#rowCount = 0;
    this.#firstLine = this.#line;
    scratch.release(this.#mark);
    this.#builders = this.#newBuilders();
  }

  /** The batch with all columns of the table. */
  #wholeRows(): DeltaBatch {
    const { memory } = this.#memory;
    let batch: DeltaBatch = {
      memory,
      rowCount: this.#rowCount,
      columns: this.#builders.map((builder) => builder.build()),
      weights: 0,
      rowWatermarks: 0,
    };
    const context = this.#evalContext();
    for (const stage of this.#stages) {
      const input = batch;
      batch = { ...input, columns: stage.map((expr) => expr.evaluate(input, context)) };
    }
    return batch;
  }

  #evalContext(): EvalContext {
    const { database } = this.#session;
    return {
      ...this.#memory,
      nowUs: this.#session.running.startedUs,
      system: this.#session.environment(),
      random: database.random,
      clock: database.clock,
      onError: (_row, error) => {
        throw error;
      },
    };
  }

  /** The error with where it was in the input, and no position in the statement. */
  #at(error: unknown): unknown {
    if (!(error instanceof SqlError)) return error;
    const last = Math.max(this.#firstLine, this.#line - 1);
    const lines = this.#firstLine === last ? `line ${last}` : `lines ${this.#firstLine} to ${last}`;
    const column = this.#names.find((name) => error.message.startsWith(`column "${name}": `));
    const message =
      column === undefined ? error.message : error.message.slice(`column "${column}": `.length);
    const field = error.fields.where ?? (column === undefined ? null : `column ${column}`);
    const where = `COPY ${this.#table.name}, ${lines}${field === null ? '' : `, ${field}`}`;
    return new SqlError(error.sqlstate, message, { ...error.fields, where, position: undefined });
  }
}

/** The columns that the records have. */
function copiedColumns(ast: Copy, table: TableObject): TableObject['columns'] {
  if (ast.columns.length === 0)
    return table.columns.filter((column) => column.generatedExpr === null);
  return ast.columns.map((name) => {
    const column = table.columns.find((one) => one.name === name);
    if (column !== undefined && column.generatedExpr === null) return column;
    if (column !== undefined) {
      throw new SqlError('42P10', `column "${name}" is a generated column`, {
        detail: 'Generated columns cannot be used in COPY.',
      });
    }
    throw new SqlError('42703', `column "${name}" of relation "${table.name}" does not exist`);
  });
}

/** The plan of `INSERT INTO t (columns) VALUES ($1, ...)`. */
function insertPlan(ast: Copy, table: TableObject, session: SessionState): InsertPlan {
  const { position } = ast;
  const columns = copiedColumns(ast, table);
  const insert: Insert = {
    kind: 'insert',
    position,
    with: null,
    table: must(ast.table),
    alias: null,
    columns: columns.map(({ name }) => ({ name, position })),
    overriding: null,
    query: {
      kind: 'query',
      position,
      with: null,
      body: {
        kind: 'values',
        position,
        rows: [columns.map((_, index) => ({ kind: 'parameter', position, number: index + 1 }))],
      },
      orderBy: [],
      limit: null,
      isWithTies: false,
      offset: null,
      isLocking: false,
    },
    onConflict: null,
    returning: [],
  };
  const types = columns.map((column) => column.type);
  return planDml(insert, session.plannerContext(types)) as InsertPlan;
}

/** What the plan computes from the copied columns, node after node; the last gives every column of the table. */
function stagesOf(node: PlanNode, compile: (expr: BoundExpr) => CompiledExpr): CompiledExpr[][] {
  const stage = (exprs: readonly BoundExpr[]) => exprs.map((expr) => compile(asColumns(expr)));
  if (node.kind === 'values') return [stage(must(node.rows[0]))];
  assert(node.kind === 'project', 'an INSERT of one row is values and projections');
  return [...stagesOf(node.input, compile), stage(node.expressions)];
}

/** Parameters are the copied columns. */
function asColumns(expr: BoundExpr): BoundExpr {
  return rewriteExpr(expr, (part) =>
    part.kind === 'parameter' ? { kind: 'column', index: part.index, type: part.type } : part,
  );
}

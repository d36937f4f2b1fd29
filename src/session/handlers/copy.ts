/**
 * COPY t FROM STDIN, COPY t | (query) | (SUBSCRIBE ...) TO STDOUT, in text and CSV. A COPY FROM is one statement: a bad record
 * fails it whole, and nothing of it stays.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { packBatch } from '../../batch/pack.ts';
import { readValue } from '../../batch/read-value.ts';
import type { TableObject } from '../../catalog/objects.ts';
import { CopyTextDecoder, copyCsvLine, copyTextLine } from '../../formats/copy-text.ts';
import { CsvDecoder } from '../../formats/csv.ts';
import type { RecordDecoder } from '../../formats/record-decoder.ts';
import { planDml } from '../../plan/planner.ts';
import type { DmlExecution } from '../../serve/dml-execution.ts';
import type { QueryMemory } from '../../serve/query-memory.ts';
import type { RowSource } from '../../serve/row-source.ts';
import type { Literal, Query } from '../../sql/ast.ts';
import type { Copy, Insert } from '../../sql/statements.ts';
import { TEXT } from '../../types/data-type.ts';
import { formatValue } from '../../types/value.ts';
import { type CopyOptions, copyOptions } from '../copy-options.ts';
import { findObject, notFound } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { ResultField, ResultWriter } from '../port.ts';
import type { StatementPlan } from '../prepared-statement.ts';
import { openQuery } from '../read-context.ts';
import { refuse, type SessionState } from '../session-state.ts';
import { dmlExecution, lockForWrite } from '../table-access.ts';
import { planSelect } from './select.ts';
import { subscriptionRows } from './subscribe.ts';

const TEXT_FORMAT = 0;
/** Rows that are planned and written at a time. */
const ROWS_A_STEP = 1000;
/** A record longer than this is refused (54000). */
const RECORD_BYTES_MAX = 64 * 2 ** 20;

export function planCopy(ast: Copy, context: HandlerContext): StatementPlan {
  if (ast.isProgram) refuse('COPY ... PROGRAM', ast.position);
  if (ast.file !== null)
    refuse(
      'COPY with a file on the server',
      ast.position,
      "Use \\copy in psql, or a source with connector = 'file'.",
    );
  if (ast.where !== null) refuse('COPY ... WHERE', ast.position);
  const options = copyOptions(ast);
  return {
    parameterTypes: [],
    fields: null,
    run: async () => ({
      kind: 'stream',
      run: (writer) =>
        ast.direction === 'from'
          ? copyFrom(ast, options, context, writer)
          : copyTo(ast, options, context, writer),
    }),
  };
}

// ------------------------------------------------------------------------------------------------ TO STDOUT

async function rowsToCopy(
  ast: Copy,
  context: HandlerContext,
): Promise<{ rows: RowSource; fields: readonly ResultField[] }> {
  if (ast.subscribe !== null) return subscriptionRows(ast.subscribe, context);
  const query = ast.query ?? selectColumns(ast);
  const plan = planSelect({ kind: 'select_statement', position: ast.position, query }, context);
  const result = await plan.run([]);
  if (result.kind !== 'rows') throw new SqlError('42601', 'COPY needs a query that returns rows');
  return { rows: result.rows, fields: must(plan.fields) };
}

/** `SELECT columns FROM t`. */
function selectColumns(ast: Copy): Query {
  const { position } = ast;
  const name = must(ast.table);
  const star = { kind: 'star', position, qualifier: [] } as const;
  const exprs =
    ast.columns.length === 0
      ? [star]
      : ast.columns.map((column) => ({ kind: 'column_ref', position, parts: [column] }) as const);
  return {
    kind: 'query',
    position,
    with: null,
    body: {
      kind: 'select',
      position,
      distinct: null,
      items: exprs.map((expr) => ({ kind: 'select_item', position, expr, alias: null })),
      from: [{ kind: 'table_name', position, name, alias: null, asOf: null }],
      where: null,
      groupBy: [],
      isGroupByDistinct: false,
      having: null,
      windows: [],
    },
    orderBy: [],
    limit: null,
    isWithTies: false,
    offset: null,
    isLocking: false,
  };
}

async function copyTo(
  ast: Copy,
  options: CopyOptions,
  context: HandlerContext,
  writer: ResultWriter,
): Promise<string> {
  const { session } = context;
  const { rows, fields } = await rowsToCopy(ast, context);
  const line = (values: readonly (string | null)[]) =>
    Buffer.from(
      options.format === 'csv' ? copyCsvLine(values, options) : copyTextLine(values, options),
    );
  let count = 0;
  try {
    writer.copyOutStart(TEXT_FORMAT, fields.length);
    if (options.hasHeader) await writer.copyOutData(line(fields.map((field) => field.name)));
    const settings = session.valueSettings;
    for (
      let batch = await rows.next(ROWS_A_STEP);
      batch !== null;
      batch = await rows.next(ROWS_A_STEP)
    ) {
      for (let row = 0; row < batch.rowCount; row++) {
        const values = rows.types.map((type, index) => {
          const value = readValue(batch!.memory, must(batch!.columns[index]), type, row);
          return value === null ? null : formatValue(type, value, settings);
        });
        await writer.copyOutData(line(values));
      }
      count += batch.rowCount;
    }
    writer.copyOutDone();
  } finally {
    rows.close();
  }
  return `COPY ${count}`;
}

// ------------------------------------------------------------------------------------------------ FROM STDIN

async function copyFrom(
  ast: Copy,
  options: CopyOptions,
  context: HandlerContext,
  writer: ResultWriter,
): Promise<string> {
  const { session } = context;
  session.running.requireWritable('COPY FROM');
  const name = must(ast.table);
  const table = findObject('table', name, session, 'ALTER');
  if (table?.kind !== 'table') throw notFound('table', name);
  await lockForWrite(table.id, session);
  const memory = session.database.queries.memories.acquire();
  try {
    const input = new CopyInput(ast, options, table, session, memory);
    for await (const chunk of writer.copyIn(TEXT_FORMAT, input.columnCount))
      await input.take(Buffer.from(chunk));
    await input.finish();
    session.running.touch(table.id, 'row');
    return `COPY ${input.rowCount}`;
  } finally {
    session.database.queries.memories.release(memory);
  }
}

/** The records of one COPY, from the client's chunks to the table's rows. */
class CopyInput {
  readonly #ast: Copy;
  readonly #table: TableObject;
  readonly #session: SessionState;
  readonly #memory: QueryMemory;
  readonly #columns: readonly string[];
  readonly #decoder: RecordDecoder;
  readonly #text: CopyTextDecoder | null;
  #execution: DmlExecution | null = null;
  #bytes: Buffer = Buffer.alloc(0);
  #line = 1;
  #skipHeader: boolean;
  #hasEnded = false;
  #rows: (string | null)[][] = [];
  #firstLine = 1;
  rowCount = 0;

  constructor(
    ast: Copy,
    options: CopyOptions,
    table: TableObject,
    session: SessionState,
    memory: QueryMemory,
  ) {
    this.#ast = ast;
    this.#table = table;
    this.#session = session;
    this.#memory = memory;
    const all = table.columns
      .filter((column) => column.generatedExpr === null)
      .map((column) => column.name);
    this.#columns = ast.columns.length === 0 ? all : ast.columns;
    this.#skipHeader = options.hasHeader;
    this.#text = options.format === 'text' ? new CopyTextDecoder(options, this.#columns) : null;
    this.#decoder =
      this.#text ??
      new CsvDecoder(
        { ...options, hasHeader: false },
        this.#columns.map((column) => ({ name: column, type: TEXT })),
        this.#columns,
        session.valueSettings,
      );
  }

  get columnCount(): number {
    return this.#columns.length;
  }

  async take(chunk: Buffer): Promise<void> {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    await this.#decode(false);
    if (this.#bytes.length > RECORD_BYTES_MAX) {
      throw this.#at(
        new SqlError('54000', `a record of COPY is longer than ${RECORD_BYTES_MAX} bytes`),
      );
    }
  }

  async finish(): Promise<void> {
    await this.#decode(true);
    await this.#write();
  }

  async #decode(isLast: boolean): Promise<void> {
    let at = 0;
    while (!this.#hasEnded && at < this.#bytes.length) {
      const next = this.#decoder.scan(this.#bytes, at, this.#bytes.length, isLast);
      if (next < 0) break;
      at = next;
      this.#record();
      this.#line += this.#decoder.lineCount;
      if (this.#rows.length >= ROWS_A_STEP) await this.#write();
    }
    this.#bytes = this.#hasEnded ? Buffer.alloc(0) : this.#bytes.subarray(at);
  }

  #record(): void {
    if (this.#text?.isEnd === true) this.#hasEnded = true;
    else if (this.#skipHeader) this.#skipHeader = false;
    else if (!this.#decoder.isBlank || this.#text !== null) this.#rows.push(this.#fields());
  }

  /** The record's fields as texts. */
  #fields(): (string | null)[] {
    const { memory, scratch } = this.#memory;
    const mark = scratch.mark();
    try {
      const builders = this.#columns.map(() => new ColumnBuilder(memory, scratch, TEXT, 16));
      this.#decoder.append(this.#bytes, builders);
      return builders.map(
        (builder) => readValue(memory, builder.build(), TEXT, 0) as string | null,
      );
    } catch (error) {
      throw this.#at(error);
    } finally {
      scratch.release(mark);
    }
  }

  /** Writes the rows that wait, as an INSERT of their texts: defaults, casts and checks are its own. */
  async #write(): Promise<void> {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    this.#rows = [];
    try {
      const plan = planDml(this.#insert(rows), this.#session.plannerContext());
      const source = await openQuery(plan.rows, this.#session);
      const packed: Uint8Array[] = [];
      try {
        for (
          let batch = await source.next(ROWS_A_STEP);
          batch !== null;
          batch = await source.next(ROWS_A_STEP)
        ) {
          packed.push(packBatch(batch, source.types));
        }
      } finally {
        source.close();
      }
      this.#execution ??= dmlExecution(plan, this.#table, this.#session, this.#memory, null);
      this.#execution.run(packed);
      this.rowCount = this.#execution.affected;
    } catch (error) {
      throw this.#at(error);
    }
    this.#firstLine = this.#line;
  }

  #insert(rows: readonly (readonly (string | null)[])[]): Insert {
    const { position } = this.#ast;
    const literal = (text: string | null): Literal => ({
      kind: 'literal',
      position,
      type: text === null ? 'null' : 'string',
      text: text ?? '',
    });
    return {
      kind: 'insert',
      position,
      with: null,
      table: must(this.#ast.table),
      alias: null,
      columns: this.#columns.map((name) => ({ name, position })),
      overriding: null,
      query: {
        kind: 'query',
        position,
        with: null,
        body: { kind: 'values', position, rows: rows.map((row) => row.map(literal)) },
        orderBy: [],
        limit: null,
        isWithTies: false,
        offset: null,
        isLocking: false,
      },
      onConflict: null,
      returning: [],
    };
  }

  /** The error with where it was in the input, and no position in the statement. */
  #at(error: unknown): unknown {
    if (!(error instanceof SqlError)) return error;
    const lines =
      this.#firstLine === this.#line
        ? `line ${this.#line}`
        : `lines ${this.#firstLine} to ${this.#line}`;
    const where = `COPY ${this.#table.name}, ${lines}.`;
    const detail = error.fields.detail === undefined ? where : `${error.fields.detail} ${where}`;
    return new SqlError(error.sqlstate, error.message, {
      ...error.fields,
      detail,
      position: undefined,
    });
  }
}

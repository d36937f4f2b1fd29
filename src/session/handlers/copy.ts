/**
 * COPY t FROM STDIN, COPY t | (query) | (SUBSCRIBE ...) TO STDOUT, in text and CSV. A COPY FROM is one statement: a bad record
 * fails it whole, and nothing of it stays.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { readValue } from '../../batch/read-value.ts';
import { checkWritable, kindName } from '../../catalog/objects.ts';
import { copyCsvLine, copyTextLine } from '../../formats/copy-text.ts';
import type { RowSource } from '../../serve/row-source.ts';
import type { Query } from '../../sql/ast.ts';
import { namedTable, selectQuery, star } from '../../sql/make-query.ts';
import type { Copy } from '../../sql/statements.ts';
import { formatValue } from '../../types/value.ts';
import { CopyInput } from '../copy-input.ts';
import { type CopyOptions, copyOptions } from '../copy-options.ts';
import { missingRelation, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { ResultField, ResultWriter } from '../port.ts';
import type { StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';
import { lockForWrite } from '../table-access.ts';
import { planSelect } from './select.ts';
import { subscriptionRows } from './subscribe.ts';

const TEXT_FORMAT = 0;
/** Rows that are sent at a time. */
const ROWS_A_STEP = 1000;

export function planCopy(ast: Copy, context: HandlerContext): StatementPlan {
  if (ast.isProgram) refuse('COPY ... PROGRAM', ast.position);
  if (ast.file !== null) refuse('COPY with a file on the server', ast.position);
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
  const exprs =
    ast.columns.length === 0
      ? [star(position)]
      : ast.columns.map((column) => ({ kind: 'column_ref', position, parts: [column] }) as const);
  return selectQuery(position, exprs, namedTable(name, position));
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
  const table = session.catalog.findRelation(splitName(name), session.searchPath);
  if (table === undefined) throw missingRelation(name);
  if (table.kind !== 'table') {
    const kind = table.kind === 'system' ? 'system relation' : kindName(table);
    throw new SqlError('42809', `cannot copy to ${kind} "${table.name}"`);
  }
  checkWritable(table, 'copy to', name.position);
  await lockForWrite(table.id, session);
  const memory = session.database.queries.memories.acquire();
  try {
    const input = new CopyInput(ast, options, table, session, memory);
    for await (const chunk of writer.copyIn(TEXT_FORMAT, input.columnCount))
      await input.take(Buffer.from(chunk));
    await input.finish();
    return `COPY ${input.rowCount}`;
  } finally {
    session.database.queries.memories.release(memory);
  }
}

/** A table as DML sees it: its keys with their indexes, its lock, its place in the write set. */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { constraintKey, type KeyConstraint, type TableObject } from '../catalog/objects.ts';
import type { DmlPlan } from '../plan/bound-statement.ts';
import type { Judge } from '../serve/change-log.ts';
import { DmlExecution } from '../serve/dml-execution.ts';
import type { QueryMemory } from '../serve/query-memory.ts';
import type { PublishedLookup, TableWrites, WriteKey } from '../serve/write-set.ts';
import type { SessionState } from './session-state.ts';

/** The table with this id as the running transaction sees it. */
export function tableOf(id: number, session: SessionState): TableObject {
  const table = session.catalog.object(id);
  if (table?.kind !== 'table') throw new SqlError('42P01', 'the table does not exist any more');
  return table;
}

/** The index of the stored relation that finds a constraint's columns: 0 is the key, then the other unique constraints. */
export function writeKeys(table: TableObject): WriteKey[] {
  const key = constraintKey(table.columns, table.constraints);
  const constraints = table.constraints.filter((one): one is KeyConstraint => one.kind !== 'check');
  const others = constraints.filter((one) => one.columns !== key);
  return constraints.map((one) => ({
    name: one.name,
    columns: one.columns,
    index: one.columns === key ? 0 : 1 + others.indexOf(one),
  }));
}

/**
 * The running transaction's writes to the table, for a statement that begins; its lock must be held. `judge`: how the engine
 * judges the statement's rows against the table's watermark (semantics.md rule 14).
 */
export function openWrites(
  table: TableObject,
  judge: Judge,
  session: SessionState,
  memory: QueryMemory,
): TableWrites {
  const { queries, engine } = session.database;
  const columns = table.columns.map((_, column) => column);
  const lookup: PublishedLookup = function* (key, keys) {
    const reader = queries.reader(table.id);
    if (reader === undefined) return;
    const pin = engine.control.pin();
    try {
      yield* reader.lookup(key.index, keys, pin.epoch, columns, memory);
    } finally {
      pin.release();
    }
  };
  return queries.writeSetOf(session.running).open(
    {
      relationId: table.id,
      types: table.columns.map((column) => column.type),
      keys: writeKeys(table),
      hasWatermark: table.watermark !== null,
    },
    lookup,
    judge,
  );
}

/** Makes the statement that writes to `table` ready. */
export function dmlExecution(
  plan: DmlPlan,
  table: TableObject,
  judge: Judge,
  session: SessionState,
  memory: QueryMemory,
  onReturning: ConstructorParameters<typeof DmlExecution>[0]['onReturning'],
): DmlExecution {
  const { database } = session;
  const transaction = must(session.transaction);
  return new DmlExecution({
    plan,
    writes: openWrites(table, judge, session, memory),
    tableName: table.name,
    columnNames: table.columns.map((column) => column.name),
    statement: transaction.statement,
    settings: session.valueSettings,
    evaluation: {
      nowUs: transaction.startedUs,
      system: session.environment(),
      random: database.random,
      clock: database.clock,
    },
    memory,
    onReturning,
  });
}

/** Takes the table's write lock; above READ COMMITTED a table that others have changed since the snapshot is 40001. */
export async function lockForWrite(tableId: number, session: SessionState): Promise<void> {
  const transaction = session.running;
  await transaction.lockTable(tableId, session.lockWait);
  if (transaction.fixedEpoch === null) return;
  const lastWrite = session.database.lastWriteEpoch(tableId);
  if (lastWrite > transaction.fixedEpoch) {
    throw new SqlError('40001', 'could not serialize access due to concurrent update');
  }
}

/** Whether a view may be read: it must be built, running, and free of errors where its errors fail reads (rules 6, 11, 29). */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { constantColumn } from '../batch/build-batch.ts';
import { readValue } from '../batch/read-value.ts';
import {
  kindName,
  type MaterializedViewObject,
  type SourceObject,
  type TableObject,
} from '../catalog/objects.ts';
import { VIEW_ERROR_COLUMNS, VIEW_ERRORS_ID } from '../dataflow/port.ts';
import type { StreamPlan } from '../plan/plan-node.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import type { Database } from './database.ts';

/** VIEW_ERRORS_ID's index by view_id. */
const BY_VIEW = 1;

/** Throws what keeps the view from being read at `epoch`. */
export function checkView(
  view: MaterializedViewObject,
  database: Database,
  epoch: number,
  allowsStale = false,
): void {
  if (database.queries.reader(view.id) === undefined) {
    const isOurs = database.catalog.object(view.id) === undefined;
    throw new SqlError('55000', `materialized view "${view.name}" is building`, {
      hint: isOurs
        ? 'It was made by this transaction and has contents from COMMIT on.'
        : 'Its state is in millrace.jobs; read it when it is running.',
    });
  }
  if (!allowsStale) checkRunning(view, database);
  const plan = view.plan as unknown as StreamPlan;
  if (plan.onError === 'fail') checkErrors(view, database, epoch);
  // What a view reads must be well too: its dependants stop with it (rule 29).
  for (const id of plan.relationIds) {
    const input = database.catalog.object(id);
    if (input?.kind === 'materialized_view') checkView(input, database, epoch, allowsStale);
  }
}

/** Throws why a relation has stopped for good: a view, or stored rows that could not be recovered from their source. */
export function checkRunning(
  relation: MaterializedViewObject | TableObject | SourceObject,
  { engine }: Database,
): void {
  const detail = engine.stoppedReason(relation.id);
  if (detail === null) return;
  throw new SqlError('55000', `${kindName(relation)} "${relation.name}" has stopped`, {
    detail,
    hint: 'DROP it and create it again, or SET allow_stale_reads = on to read it as it last was.',
  });
}

function checkErrors(view: MaterializedViewObject, { queries }: Database, epoch: number): void {
  const reader = queries.reader(VIEW_ERRORS_ID);
  if (reader === undefined || reader.rowCountEstimate() === 0) return;
  const target = queries.memories.acquire();
  try {
    const key = constantColumn(INT8, BigInt(view.id), 1, target.scratch);
    const keys = {
      memory: target.memory,
      rowCount: 1,
      columns: [key],
      weights: 0,
      rowWatermarks: 0,
    };
    const columns = VIEW_ERROR_COLUMNS.map((_, column) => column);
    for (const batch of reader.lookup(BY_VIEW, keys, epoch, columns, target)) {
      const text = (name: (typeof VIEW_ERROR_COLUMNS)[number]) =>
        String(
          readValue(batch.memory, must(batch.columns[VIEW_ERROR_COLUMNS.indexOf(name)]), TEXT, 0),
        );
      throw new SqlError(text('sqlstate'), text('message'), {
        detail: `Materialized view "${view.name}" holds rows that fail; the first is ${text('row')}.`,
        hint: "Mend or delete the row, or create the view WITH (on_error = 'withhold'). All are in millrace.dead_letters.",
      });
    }
  } finally {
    queries.memories.release(target);
  }
}

/**
 * SUBSCRIBE [TO] v: the snapshot, then the changes, as rows (epoch, weight, the view's columns) until cancelled.
 *
 * The changes of each step are read from the relation's versions between the epoch last sent and the newest, so that nothing
 * is queued for a client that does not read: it gets the net change when it comes back.
 */

import { SqlError } from '../../base/sql-error.ts';
import { isKeyedConnector } from '../../catalog/objects.ts';
import type { RowSource } from '../../serve/row-source.ts';
import { SNAPSHOT_AGE_MS_MAX } from '../../serve/snapshot-age.ts';
import { Subscription } from '../../serve/subscription.ts';
import type { Subscribe } from '../../sql/statements.ts';
import { INT4, INT8 } from '../../types/data-type.ts';
import { emitPeriod, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { ResultField } from '../port.ts';
import { plainField, type StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';

const OPTIONS = ['snapshot', 'progress'];
/** Between two changes the older snapshot is held, and one may not grow old (serve/snapshot-age.ts). */
const PERIOD_US_MAX = (SNAPSHOT_AGE_MS_MAX * 1000) / 2;

export function planSubscribe(ast: Subscribe, context: HandlerContext): StatementPlan {
  const fields = subscriptionFields(ast, context);
  return {
    parameterTypes: [],
    fields,
    run: async () => {
      const { rows } = await subscriptionRows(ast, context);
      return { kind: 'rows', rows, tag: (count) => `SUBSCRIBE ${count}` };
    },
  };
}

/** The relation that is subscribed to, and what its rows look like. */
function target(ast: Subscribe, { session }: HandlerContext) {
  if (ast.query !== null) refuse('SUBSCRIBE to a query', ast.position);
  if (ast.asOf !== null) refuse('SUBSCRIBE ... AS OF', ast.position);
  if (ast.envelope !== null) refuse('SUBSCRIBE ... ENVELOPE', ast.position);
  for (const option of ast.options) {
    if (!OPTIONS.includes(option.name)) {
      throw new SqlError('22023', `unrecognized SUBSCRIBE option "${option.name}"`, {
        position: option.position,
        hint: `Options are: ${OPTIONS.join(', ')}.`,
      });
    }
    if (option.name === 'progress' && isOn(option.value))
      refuse('SUBSCRIBE WITH (PROGRESS)', option.position);
  }
  const name = ast.relation!;
  const found = session.catalog.findRelation(splitName(name), session.searchPath);
  if (found === undefined) {
    throw new SqlError('42P01', `relation "${name.parts.join('.')}" does not exist`, {
      position: name.position,
    });
  }
  if (found.kind === 'table' || found.kind === 'materialized_view') return found;
  if (found.kind === 'source' && isKeyedConnector(found.connector)) return found;
  throw new SqlError('42809', `"${found.name}" is not a table or materialized view`, {
    position: name.position,
  });
}

function isOn(value: string | null): boolean {
  return value === null || /^(true|on|1)$/i.test(value);
}

function subscriptionFields(ast: Subscribe, context: HandlerContext): ResultField[] {
  const relation = target(ast, context);
  return [
    plainField('epoch', INT8),
    plainField('weight', INT4),
    ...relation.columns.map((column) => plainField(column.name, column.type)),
  ];
}

export async function subscriptionRows(
  ast: Subscribe,
  context: HandlerContext,
): Promise<{ readonly rows: RowSource; readonly fields: readonly ResultField[] }> {
  const { session } = context;
  const relation = target(ast, context);
  const { engine, queries } = session.database;
  if (session.running.hasChanges)
    refuse('SUBSCRIBE in a transaction that has written', ast.position);
  const snapshot = ast.options.find((option) => option.name === 'snapshot');
  const period = emitPeriod(relation);
  if (Number(period) > PERIOD_US_MAX) {
    refuse('SUBSCRIBE to a view that emits less often than every half an hour', ast.position);
  }
  const rows = new Subscription({
    engine,
    queries,
    relationId: relation.id,
    name: relation.name,
    types: relation.columns.map((column) => column.type),
    withSnapshot: snapshot === undefined || isOn(snapshot.value),
    periodUs: period === null ? null : BigInt(period),
    clock: session.database.clock,
    signal: () => session.signal,
  });
  return { rows, fields: subscriptionFields(ast, context) };
}

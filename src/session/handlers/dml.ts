/** INSERT, UPDATE, DELETE: the rows are planned and read as a query, then written under the table's lock. */

import { packBatch } from '../../batch/pack.ts';
import type { DmlPlan } from '../../plan/bound-statement.ts';
import { dmlWithParameters, planDml as planRows } from '../../plan/planner.ts';
import { PackedRows } from '../../serve/packed-rows.ts';
import type { RowSource } from '../../serve/row-source.ts';
import { Slice } from '../../serve/slice.ts';
import type { Delete, Insert, Update } from '../../sql/statements.ts';
import type { Value } from '../../types/data-type.ts';
import type { HandlerContext } from '../dispatch.ts';
import {
  fieldOf,
  literals,
  type StatementPlan,
  type StatementResult,
} from '../prepared-statement.ts';
import { openQuery } from '../read-context.ts';
import type { SessionState } from '../session-state.ts';
import { dmlExecution, lockForWrite, tableOf } from '../table-access.ts';

type DmlStatement = Insert | Update | Delete;

export function planDml(
  ast: DmlStatement,
  { session, declaredTypes }: HandlerContext,
): StatementPlan {
  const plan = planRows(ast, session.plannerContext(declaredTypes));
  const planned = { plan, catalog: session.catalog };
  return {
    parameterTypes: plan.parameterTypes,
    fields: plan.returning === null ? null : plan.returning.columns.map(fieldOf),
    run: async (parameters) => {
      session.running.requireWritable(ast.kind.toUpperCase());
      await lockForWrite(plan.targetId, session);
      // While the lock was waited for, the table may have changed: plan again over the catalog of now.
      const isCurrent = session.catalog === planned.catalog;
      const current = isCurrent ? plan : planRows(ast, session.plannerContext(declaredTypes));
      return runDml(ast, current, parameters, session);
    },
  };
}

async function runDml(
  ast: DmlStatement,
  unbound: DmlPlan,
  parameters: readonly Value[],
  session: SessionState,
): Promise<StatementResult> {
  const plan = dmlWithParameters(unbound, literals(unbound.parameterTypes, parameters));
  const { memories } = session.database.queries;
  const returned =
    plan.returning === null ? null : plan.returning.columns.map((column) => column.type);
  const packedReturning: Uint8Array[] = [];
  const rows = await readAll(await openQuery(plan.rows, session));
  const isValues =
    ast.kind === 'insert' && (ast.query === null || ast.query.body.kind === 'values');
  const memory = memories.acquire();
  try {
    const execution = dmlExecution(
      plan,
      tableOf(plan.targetId, session),
      isValues ? 'row' : 'statement',
      session,
      memory,
      returned === null ? null : (batch) => packedReturning.push(packBatch(batch, returned)),
    );
    await new Slice(session.signal).drain(execution.run(rows));
    const tag = tagOf(ast, execution.affected);
    if (returned === null) return { kind: 'done', tag };
    return {
      kind: 'rows',
      rows: new PackedRows(returned, packedReturning, memories),
      tag: () => tag,
    };
  } finally {
    memories.release(memory);
  }
}

/** Every row before the first is written: a statement never reads what it writes. */
async function readAll(rows: RowSource): Promise<Uint8Array[]> {
  const packed: Uint8Array[] = [];
  try {
    for (let batch = await rows.next(1024); batch !== null; batch = await rows.next(1024)) {
      packed.push(packBatch(batch, rows.types));
    }
  } finally {
    rows.close();
  }
  return packed;
}

function tagOf(ast: DmlStatement, count: number): string {
  return ast.kind === 'insert' ? `INSERT 0 ${count}` : `${ast.kind.toUpperCase()} ${count}`;
}

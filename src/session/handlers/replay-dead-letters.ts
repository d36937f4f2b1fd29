/**
 * REPLAY DEAD LETTERS FOR s [WHERE ...]: rejected records of a source go through it again (semantics.md rule 27). Which ones is
 * a query over millrace.dead_letters; the worker takes those that are still there when their epoch comes.
 */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { LetterReplay, ReplayResult } from '../../dataflow/port.ts';
import { planQuery, withParameters } from '../../plan/planner.ts';
import type { RowSource } from '../../serve/row-source.ts';
import type { Expr, Query } from '../../sql/ast.ts';
import { namedTable, selectQuery } from '../../sql/make-query.ts';
import type { ReplayDeadLetters } from '../../sql/statements.ts';
import { missingRelation, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { StatementPlan } from '../prepared-statement.ts';
import { literals } from '../prepared-statement.ts';
import { openQuery } from '../read-context.ts';
import type { SessionState } from '../session-state.ts';

const BATCH_ROWS = 1024;

export function planReplay(
  ast: ReplayDeadLetters,
  { session, block, declaredTypes }: HandlerContext,
): StatementPlan {
  const sourceId = sourceOf(ast, session);
  const plan = planQuery(lettersOf(ast, session), session.plannerContext(declaredTypes));
  return {
    parameterTypes: plan.parameterTypes,
    fields: null,
    run: async (parameters) => {
      session.running.requireWritable('REPLAY DEAD LETTERS');
      if (block.isBlock) {
        throw notSupported('REPLAY DEAD LETTERS in a transaction block', {
          position: ast.position,
        });
      }
      const bound = withParameters(plan, literals(plan.parameterTypes, parameters));
      const ids = await idsOf(await openQuery(bound, session));
      const result = await replay({ sourceId, ranges: rangesOf(ids) }, session);
      tell(result, session);
      return { kind: 'done', tag: `REPLAY ${result.replayed}` };
    },
  };
}

function sourceOf({ relation, position }: ReplayDeadLetters, session: SessionState): number {
  const found = session.catalog.findRelation(splitName(relation), session.searchPath);
  if (found === undefined) throw missingRelation(relation);
  if (found.kind === 'materialized_view') {
    throw notSupported('REPLAY DEAD LETTERS FOR a view', { position });
  }
  const isFilled = found.kind === 'source' || (found.kind === 'table' && found.connector !== null);
  if (isFilled) return found.id;
  throw new SqlError('42809', `"${found.name}" is not a source`, { position: relation.position });
}

/** SELECT id FROM millrace.dead_letters WHERE kind = 'rejected' AND source = ... AND (...) */
function lettersOf({ relation, where, position }: ReplayDeadLetters, session: SessionState): Query {
  const at = { position } as const;
  const column = (name: string): Expr => ({ kind: 'column_ref', ...at, parts: [name] });
  const isText = (name: string, text: string): Expr => ({
    kind: 'operator',
    ...at,
    name: '=',
    schema: null,
    left: column(name),
    right: { kind: 'literal', ...at, type: 'string', text },
  });
  const found = must(session.catalog.findRelation(splitName(relation), session.searchPath));
  const ours = [isText('kind', 'rejected'), isText('source', found.name)];
  const operands = where === null ? ours : [...ours, where];
  const name = { ...relation, position, parts: ['millrace', 'dead_letters'] };
  const from = namedTable(name, position);
  return selectQuery(position, [column('id')], from, { kind: 'and', ...at, operands });
}

async function idsOf(rows: RowSource): Promise<number[]> {
  const ids: number[] = [];
  try {
    for (let batch = await rows.next(BATCH_ROWS); batch; batch = await rows.next(BATCH_ROWS)) {
      const at = must(batch.columns[0]).values >>> 3;
      for (let row = 0; row < batch.rowCount; row++) ids.push(Number(batch.memory.i64[at + row]));
    }
  } finally {
    rows.close();
  }
  return ids.sort((a, b) => a - b);
}

function rangesOf(ids: readonly number[]): LetterReplay['ranges'] {
  const ranges: [number, number][] = [];
  for (const id of ids) {
    const last = ranges.at(-1);
    if (last !== undefined && id <= last[1] + 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}

/** Durable when it resolves. */
async function replay(one: LetterReplay, { database }: SessionState): Promise<ReplayResult> {
  const request = { ddl: [], catalog: null, dml: [], replays: [one] };
  const { replays } = await database.engine.commit(request);
  return must(replays[0]);
}

function tell({ rejected, unreadable }: ReplayResult, session: SessionState): void {
  if (rejected > 0) {
    session.notice(`dead letters that were rejected again: ${rejected}`, {
      hint: 'They stay in millrace.dead_letters, with the error of now.',
    });
  }
  if (unreadable > 0) {
    session.notice(`dead letters that do not have their whole record: ${unreadable}`, {
      hint: 'They were cut (--dead-letter-record-size), or a generated column failed.',
    });
  }
}

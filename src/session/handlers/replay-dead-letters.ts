/**
 * REPLAY DEAD LETTERS FOR s [WHERE ...]: rejected records of a source go through it again, late rows of a view, or sink, are
 * judged again (semantics.md rule 27). Which ones is a query over millrace.dead_letters; the worker takes those that are still
 * there when their epoch comes. What a view has besides stays as it is, and is told of: rows without a time, and errors.
 */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import { readValue } from '../../batch/read-value.ts';
import type { LetterRanges, LetterReplay, ReplayResult } from '../../dataflow/port.ts';
import { planQuery, withParameters } from '../../plan/planner.ts';
import type { RowSource } from '../../serve/row-source.ts';
import type { Expr, Query } from '../../sql/ast.ts';
import { namedTable, selectQuery } from '../../sql/make-query.ts';
import type { ReplayDeadLetters } from '../../sql/statements.ts';
import { INT8, TEXT } from '../../types/data-type.ts';
import { missingRelation, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { StatementPlan } from '../prepared-statement.ts';
import { literals } from '../prepared-statement.ts';
import { openQuery } from '../read-context.ts';
import type { SessionState } from '../session-state.ts';

const BATCH_ROWS = 1024;
const REPLAYED: ReadonlySet<string> = new Set(['rejected', 'late']);
const NOTHING: ReplayResult = { replayed: 0, rejected: 0, unreadable: 0 };

export function planReplay(
  ast: ReplayDeadLetters,
  { session, block, declaredTypes }: HandlerContext,
): StatementPlan {
  const target = targetOf(ast, session);
  const plan = planQuery(lettersOf(ast, target), session.plannerContext(declaredTypes));
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
      const chosen = await chosenBy(await openQuery(bound, session));
      const result = await replay(target, chosen, session);
      tell(target, result, session);
      if (target.isView) tellOthers(chosen, session);
      return { kind: 'done', tag: `REPLAY ${result.replayed}` };
    },
  };
}

interface Target {
  readonly id: number;
  readonly name: string;
  /** Or a sink; else a source. */
  readonly isView: boolean;
}

function targetOf({ relation }: ReplayDeadLetters, session: SessionState): Target {
  const found = session.catalog.findRelation(splitName(relation), session.searchPath);
  if (found === undefined) throw missingRelation(relation);
  const { kind, name } = found;
  const isView = kind === 'materialized_view' || kind === 'sink';
  const isFilled = kind === 'source' || (kind === 'table' && found.connector !== null);
  if (isView || isFilled) return { id: found.id, name, isView };
  const { position } = relation;
  throw new SqlError('42809', `"${name}" is not a source or materialized view`, { position });
}

/** SELECT kind, id FROM millrace.dead_letters WHERE source = ... AND kind = 'rejected' AND (...); of a view: WHERE view = ... */
function lettersOf({ relation, where, position }: ReplayDeadLetters, target: Target): Query {
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
  const ours = target.isView
    ? [isText('view', target.name)]
    : [isText('source', target.name), isText('kind', 'rejected')];
  const operands = where === null ? ours : [...ours, where];
  const name = { ...relation, position, parts: ['millrace', 'dead_letters'] };
  const from = namedTable(name, position);
  const items = [column('kind'), column('id')];
  return selectQuery(position, items, from, { kind: 'and', ...at, operands });
}

/** What WHERE chooses. */
interface Chosen {
  /** Of rejected records, or late rows; in order. */
  readonly ids: readonly number[];
  /** Others, by their kind. */
  readonly others: ReadonlyMap<string, number>;
}

async function chosenBy(rows: RowSource): Promise<Chosen> {
  const ids: number[] = [];
  const others = new Map<string, number>();
  try {
    for (let batch = await rows.next(BATCH_ROWS); batch; batch = await rows.next(BATCH_ROWS)) {
      const [kinds, numbers] = [must(batch.columns[0]), must(batch.columns[1])];
      for (let row = 0; row < batch.rowCount; row++) {
        const kind = String(readValue(batch.memory, kinds, TEXT, row));
        if (REPLAYED.has(kind)) ids.push(Number(readValue(batch.memory, numbers, INT8, row)));
        else others.set(kind, (others.get(kind) ?? 0) + 1);
      }
    }
  } finally {
    rows.close();
  }
  ids.sort((a, b) => a - b);
  return { ids, others };
}

function rangesOf(ids: readonly number[]): LetterRanges {
  const ranges: [number, number][] = [];
  for (const id of ids) {
    const last = ranges.at(-1);
    if (last !== undefined && id <= last[1] + 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}

/** Durable when it resolves. */
async function replay(
  { id, isView }: Target,
  { ids }: Chosen,
  { database }: SessionState,
): Promise<ReplayResult> {
  if (isView && ids.length === 0) return NOTHING;
  const ranges = rangesOf(ids);
  const one: LetterReplay = isView ? { viewId: id, ranges } : { sourceId: id, ranges };
  const request = { ddl: [], catalog: null, dml: [], replays: [one] };
  const { replays } = await database.engine.commit(request);
  return must(replays[0]);
}

function tell(
  { isView }: Target,
  { rejected, unreadable }: ReplayResult,
  session: SessionState,
): void {
  if (rejected > 0) {
    const [what, hint] = isView ? LATE_AGAIN : REJECTED_AGAIN;
    session.notice(`${what}: ${rejected}`, { hint });
  }
  if (unreadable > 0) {
    const [what, hint] = NO_WHOLE_RECORD;
    session.notice(`${what}: ${unreadable}`, { hint });
  }
}

const REJECTED_AGAIN = [
  'dead letters that were rejected again',
  'They stay in millrace.dead_letters, with the error of now.',
] as const;
const LATE_AGAIN = [
  'dead letters of rows that are late again',
  'They stay in millrace.dead_letters. A watermark does not go back: create the view with a greater allowed_lateness.',
] as const;
const NO_WHOLE_RECORD = [
  'dead letters that do not have their whole record',
  'They were cut (--dead-letter-record-size), or a generated column failed.',
] as const;

/** Kinds of which nothing could ever become another, and which need no REPLAY. */
function tellOthers({ others }: Chosen, session: SessionState): void {
  const untimed = others.get('null_time') ?? 0;
  if (untimed > 0) {
    session.notice(`dead letters of rows without a time: ${untimed}`, {
      hint: 'They stay in millrace.dead_letters: such a row is in no window, whenever it comes.',
    });
  }
  const errors = others.get('error') ?? 0;
  if (errors > 0) {
    session.notice(`errors, which need no REPLAY: ${errors}`, {
      hint: 'Such a row enters the view by itself as soon as its expressions succeed.',
    });
  }
}

/** DECLARE, FETCH, MOVE, CLOSE. */

import { SqlError } from '../../base/sql-error.ts';
import { selectNothing } from '../../serve/row-source.ts';
import type { CloseCursor, DeclareCursor, Fetch } from '../../sql/statements.ts';
import type { Cursor } from '../cursor.ts';
import type { HandlerContext } from '../dispatch.ts';
import { LimitedRows } from '../limited-rows.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { CURSORS_MAX, refuse } from '../session-state.ts';
import { planSelect } from './select.ts';
import { subscriptionRows } from './subscribe.ts';

export function planDeclareCursor(ast: DeclareCursor, context: HandlerContext): StatementPlan {
  const { session, block, statement } = context;
  if (ast.isBinary) refuse('DECLARE BINARY CURSOR', ast.position);
  if (ast.isWithHold && session.transaction?.hasChanges === true) {
    refuse('WITH HOLD in a transaction that has written', ast.position);
  }
  const inner =
    ast.query === null
      ? null
      : planSelect({ kind: 'select_statement', position: ast.position, query: ast.query }, context);
  return {
    parameterTypes: inner?.parameterTypes ?? [],
    fields: null,
    run: async (parameters) => {
      if (!block.isBlock && !ast.isWithHold)
        throw new SqlError('25P01', 'DECLARE CURSOR can only be used in transaction blocks');
      if (session.cursors.has(ast.name))
        throw new SqlError('42P03', `cursor "${ast.name}" already exists`);
      if (session.cursors.size >= CURSORS_MAX)
        throw new SqlError('53400', `too many cursors: at most ${CURSORS_MAX} in a session`);
      const opened = inner === null ? await subscriptionRows(ast.subscribe!, context) : null;
      const result = inner === null ? null : await inner.run(parameters);
      const rows = opened?.rows ?? (result?.kind === 'rows' ? result.rows : null);
      if (rows === null) throw new SqlError('42P11', 'a cursor needs a query that returns rows');
      const fields = opened?.fields ?? inner?.fields ?? [];
      session.cursors.set(ast.name, {
        name: ast.name,
        statement: statement.text,
        fields,
        rows,
        isHeld: ast.isWithHold,
        transactionId: session.running.id,
        position: 0,
      });
      return { kind: 'done', tag: 'DECLARE CURSOR' };
    },
  };
}

function findCursor(name: string, { session }: HandlerContext): Cursor {
  const cursor = session.cursors.get(name);
  if (cursor === undefined) throw new SqlError('34000', `cursor "${name}" does not exist`);
  return cursor;
}

/** How many rows forward; cursors only go forward. */
function forwardCount(ast: Fetch, cursor: Cursor): number {
  const count = ast.count === 'all' ? Number.MAX_SAFE_INTEGER : Number(ast.count);
  const steps =
    ast.direction === 'absolute'
      ? count - cursor.position
      : ast.direction === 'backward'
        ? -count
        : count;
  if (steps < 0 || ast.direction === 'backward') {
    throw new SqlError('55000', 'cursor can only scan forward', {
      hint: 'Declare it again to start over.',
    });
  }
  return steps;
}

export function planFetch(ast: Fetch, context: HandlerContext): StatementPlan {
  const cursor = findCursor(ast.cursor, context);
  if (ast.isMove) {
    return command(async () => `MOVE ${await moveOver(cursor, forwardCount(ast, cursor))}`);
  }
  return {
    parameterTypes: [],
    fields: cursor.fields,
    run: async () => {
      const isSkip = ast.direction === 'absolute' || ast.direction === 'relative';
      const steps = forwardCount(ast, cursor);
      if (isSkip && steps > 1) await moveOver(cursor, steps - 1);
      const count = isSkip ? Math.min(1, steps) : steps;
      const rows = count === 0 ? selectNothing(cursor.rows.types) : new LimitedRows(cursor, count);
      return { kind: 'rows', rows, tag: (fetched) => `FETCH ${fetched}` };
    },
  };
}

async function moveOver(cursor: Cursor, count: number): Promise<number> {
  let moved = 0;
  while (moved < count) {
    const batch = await cursor.rows.next(count - moved);
    if (batch === null) break;
    moved += batch.rowCount;
  }
  cursor.position += moved;
  return moved;
}

export function planCloseCursor(ast: CloseCursor, context: HandlerContext): StatementPlan {
  const { session } = context;
  return command(async () => {
    const closing =
      ast.name === null ? [...session.cursors.values()] : [findCursor(ast.name, context)];
    for (const cursor of closing) {
      cursor.rows.close();
      session.cursors.delete(cursor.name);
    }
    return ast.name === null ? 'CLOSE CURSOR ALL' : 'CLOSE CURSOR';
  });
}

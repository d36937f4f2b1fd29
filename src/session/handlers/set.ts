/** SET, RESET, DISCARD. */

import { SqlError } from '../../base/sql-error.ts';
import type { Discard, ResetStatement, SetStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import type { SessionState } from '../session-state.ts';

const LIST_SETTINGS: ReadonlySet<string> = new Set(['search_path', 'datestyle']);

export function planSet(ast: SetStatement, { session, block }: HandlerContext): StatementPlan {
  return command(async () => {
    const name = ast.name.toLowerCase();
    if (name === 'transaction' || name === 'session characteristics')
      setModes(ast, name, session, block);
    else if (ast.values === null) session.variables.reset(ast.name);
    else {
      if (ast.scope === 'local' && !block.isBlock) {
        session.notice('SET LOCAL can only be used in transaction blocks', {
          severity: 'WARNING',
          sqlstate: '25P01',
        });
      }
      session.variables.set(ast.name, settingText(name, ast.values), ast.scope === 'local');
    }
    return 'SET';
  });
}

function settingText(name: string, values: readonly string[]): string {
  if (name === 'search_path') return values.map(quoted).join(', ');
  if (values.length > 1 && !LIST_SETTINGS.has(name)) {
    throw new SqlError('22023', `SET ${name} takes only one argument`);
  }
  return values.join(', ');
}

/** A schema name as search_path shows it. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function setModes(
  ast: SetStatement,
  name: string,
  session: SessionState,
  block: HandlerContext['block'],
): void {
  const option = (key: string) => ast.options.find((one) => one.name === key)?.value ?? null;
  const isolation = option('transaction_isolation');
  const readOnly = option('transaction_read_only');
  if (name === 'transaction') {
    block.applyModes({
      isolation,
      isReadOnly: readOnly === null ? null : /^(true|on|1)$/.test(readOnly),
    });
    return;
  }
  if (isolation !== null) session.variables.set('default_transaction_isolation', isolation);
  if (readOnly !== null) session.variables.set('default_transaction_read_only', readOnly);
}

export function planReset(ast: ResetStatement, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    if (ast.name === null) session.variables.resetAll();
    else session.variables.reset(ast.name);
    return 'RESET';
  });
}

export function planDiscard(ast: Discard, { session, block }: HandlerContext): StatementPlan {
  return command(async () => {
    if (ast.target !== 'all') return `DISCARD ${ast.target.toUpperCase()}`;
    if (block.isBlock)
      throw new SqlError('25001', 'DISCARD ALL cannot run inside a transaction block');
    for (const cursor of session.cursors.values()) cursor.rows.close();
    session.cursors.clear();
    session.prepared.clear();
    session.variables.resetAll();
    return 'DISCARD ALL';
  });
}

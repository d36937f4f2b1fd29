/** From a statement's AST to its handler: one file for each kind of statement. */

import { SqlError } from '../base/sql-error.ts';
import type { ParsedStatement, Statement } from '../sql/statements.ts';
import type { DataType } from '../types/data-type.ts';
import { planAlter } from './handlers/alter.ts';
import { planAlterSecret } from './handlers/alter-secret.ts';
import { planComment } from './handlers/comment.ts';
import { planCopy } from './handlers/copy.ts';
import { planCreateIndex } from './handlers/create-index.ts';
import { planCreateMaterializedView } from './handlers/create-materialized-view.ts';
import { planCreateSchema } from './handlers/create-schema.ts';
import { planCreateSecret } from './handlers/create-secret.ts';
import { planCreateSink } from './handlers/create-sink.ts';
import { planCreateSource } from './handlers/create-source.ts';
import { planCreateTable } from './handlers/create-table.ts';
import { planCreateTableAs } from './handlers/create-table-as.ts';
import { planCreateView } from './handlers/create-view.ts';
import { planCloseCursor, planDeclareCursor, planFetch } from './handlers/cursors.ts';
import { planDml } from './handlers/dml.ts';
import { planDrop } from './handlers/drop.ts';
import { planExplain } from './handlers/explain.ts';
import { planDeallocate, planExecute, planPrepare } from './handlers/prepare.ts';
import { planReplay } from './handlers/replay-dead-letters.ts';
import { planJobControl } from './handlers/resume.ts';
import { planSelect } from './handlers/select.ts';
import { planDiscard, planReset, planSet } from './handlers/set.ts';
import {
  planDescribe,
  planShowCreate,
  planShowObjects,
  planShowVariable,
} from './handlers/show.ts';
import { planSubscribe } from './handlers/subscribe.ts';
import { planTransaction } from './handlers/transaction.ts';
import { planTruncate } from './handlers/truncate.ts';
import { planUtility } from './handlers/utility.ts';
import type { StatementPlan } from './prepared-statement.ts';
import { refuse, type SessionState } from './session-state.ts';
import type { TransactionBlock } from './transaction-block.ts';

/** What a handler works with. */
export interface HandlerContext {
  readonly session: SessionState;
  readonly block: TransactionBlock;
  readonly statement: ParsedStatement;
  /** Types of $1.. as the client declared them. */
  readonly declaredTypes: readonly (DataType | null)[];
  /** Plans a statement inside this one (PREPARE, EXPLAIN, COPY (query)). */
  plan(statement: ParsedStatement, declaredTypes: readonly (DataType | null)[]): StatementPlan;
}

/** Makes a statement ready to run; names and types are resolved here, nothing is done yet. */
export function planStatement(
  statement: ParsedStatement,
  session: SessionState,
  block: TransactionBlock,
  declaredTypes: readonly (DataType | null)[],
): StatementPlan {
  const context: HandlerContext = {
    session,
    block,
    statement,
    declaredTypes,
    plan: (inner, types) => planStatement(inner, session, block, types),
  };
  return (
    rowStatement(statement.ast, context) ??
    definition(statement.ast, context) ??
    sessionStatement(statement.ast, context)
  );
}

function rowStatement(ast: Statement, context: HandlerContext): StatementPlan | null {
  switch (ast.kind) {
    case 'select_statement':
      return planSelect(ast, context);
    case 'insert':
    case 'update':
    case 'delete':
      return planDml(ast, context);
    case 'truncate':
      return planTruncate(ast, context);
    case 'copy':
      return planCopy(ast, context);
    case 'subscribe':
      return planSubscribe(ast, context);
    case 'declare_cursor':
      return planDeclareCursor(ast, context);
    case 'fetch':
      return planFetch(ast, context);
    case 'close_cursor':
      return planCloseCursor(ast, context);
    case 'explain':
      return planExplain(ast, context);
    default:
      return null;
  }
}

function definition(ast: Statement, context: HandlerContext): StatementPlan | null {
  switch (ast.kind) {
    case 'create_table':
      return planCreateTable(ast, context);
    case 'create_table_as':
      return planCreateTableAs(ast, context);
    case 'create_source':
      return planCreateSource(ast, context);
    case 'create_view':
      return planCreateView(ast, context);
    case 'create_materialized_view':
      return planCreateMaterializedView(ast, context);
    case 'create_sink':
      return planCreateSink(ast, context);
    case 'create_index':
      return planCreateIndex(ast, context);
    case 'create_schema':
      return planCreateSchema(ast, context);
    case 'create_secret':
      return planCreateSecret(ast, context);
    case 'drop':
      return planDrop(ast, context);
    case 'alter':
      return planAlter(ast, context);
    case 'alter_secret':
      return planAlterSecret(ast, context);
    case 'comment':
      return planComment(ast, context);
    default:
      return null;
  }
}

function sessionStatement(ast: Statement, context: HandlerContext): StatementPlan {
  switch (ast.kind) {
    case 'transaction':
      return planTransaction(ast, context);
    case 'set':
      return planSet(ast, context);
    case 'reset':
      return planReset(ast, context);
    case 'show_variable':
      return planShowVariable(ast, context);
    case 'show_objects':
      return planShowObjects(ast, context);
    case 'show_create':
      return planShowCreate(ast, context);
    case 'describe':
      return planDescribe(ast, context);
    case 'prepare':
      return planPrepare(ast, context);
    case 'execute':
      return planExecute(ast, context);
    case 'deallocate':
      return planDeallocate(ast, context);
    case 'discard':
      return planDiscard(ast, context);
    case 'utility':
      return planUtility(ast, context);
    case 'refresh':
      return refuse('REFRESH MATERIALIZED VIEW', ast.position);
    case 'check_view':
      return refuse('CHECK MATERIALIZED VIEW', ast.position);
    case 'replay_dead_letters':
      return planReplay(ast, context);
    case 'job_control':
      return planJobControl(ast, context);
    case 'unsupported':
      return refuse(ast.feature, ast.position);
    default:
      throw new SqlError('0A000', `statement ${ast.kind} is not supported`, {
        position: ast.position,
      });
  }
}

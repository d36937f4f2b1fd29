/**
 * When a session's transactions begin and end: implicit ones (a statement, or the statements of one message) and blocks
 * (BEGIN ... COMMIT), in PostgreSQL's states: idle, in a block, in a failed block.
 */

import { SqlError } from '../base/sql-error.ts';
import type { ParsedStatement, TransactionStatement } from '../sql/statements.ts';
import type { ResultWriter, TransactionStatus } from './port.ts';
import type { SessionState } from './session-state.ts';
import { type Isolation, Transaction } from './transaction.ts';

export class TransactionBlock {
  readonly #state: SessionState;
  /** Portals end with their transaction. */
  readonly #closePortals: () => void;
  #isBlock = false;
  #hasFailed = false;

  constructor(state: SessionState, closePortals: () => void) {
    this.#state = state;
    this.#closePortals = closePortals;
  }

  get status(): TransactionStatus {
    if (!this.#isBlock) return 'I';
    return this.#hasFailed ? 'E' : 'T';
  }

  get isBlock(): boolean {
    return this.#isBlock;
  }

  /** Every statement runs in a transaction: its own where there is none. */
  async beforeStatement(statement: ParsedStatement, writer: ResultWriter): Promise<void> {
    this.#state.setWriter(writer);
    const isEnd = statement.ast.kind === 'transaction' && statement.ast.action !== 'begin';
    if (this.#state.transaction === null && !(isEnd && this.#hasFailed)) this.#begin();
    this.#state.transaction?.nextStatement();
  }

  begin(statement: TransactionStatement): void {
    if (this.#isBlock) {
      this.#state.notice('there is already a transaction in progress', {
        severity: 'WARNING',
        sqlstate: '25001',
      });
    }
    this.#isBlock = true;
    this.applyModes(statement);
  }

  /** ISOLATION LEVEL, READ ONLY: of BEGIN and SET TRANSACTION. */
  applyModes(modes: {
    readonly isolation: string | null;
    readonly isReadOnly: boolean | null;
  }): void {
    const transaction = this.#state.running;
    if (modes.isolation !== null) {
      const isolation = isolationOf(modes.isolation);
      if (transaction.hasBegun && isolation !== transaction.isolation) {
        throw new SqlError(
          '25001',
          'SET TRANSACTION ISOLATION LEVEL must be called before any query',
        );
      }
      transaction.isolation = isolation;
      this.#state.variables.set('transaction_isolation', modes.isolation, true);
    }
    if (modes.isReadOnly !== null) {
      if (transaction.hasBegun && !modes.isReadOnly && transaction.isReadOnly) {
        throw new SqlError('25001', 'transaction read-write mode must be set before any query');
      }
      transaction.isReadOnly = modes.isReadOnly;
      this.#state.variables.set('transaction_read_only', modes.isReadOnly ? 'on' : 'off', true);
    }
  }

  /** COMMIT: gives the tag, ROLLBACK where the block had failed. */
  async commit(): Promise<string> {
    if (!this.#isBlock) {
      this.#state.notice('there is no transaction in progress', {
        severity: 'WARNING',
        sqlstate: '25P01',
      });
    }
    const hadFailed = this.#hasFailed;
    if (hadFailed) this.#rollback();
    else await this.#commit();
    return hadFailed ? 'ROLLBACK' : 'COMMIT';
  }

  rollback(): void {
    if (!this.#isBlock) {
      this.#state.notice('there is no transaction in progress', {
        severity: 'WARNING',
        sqlstate: '25P01',
      });
    }
    this.#rollback();
  }

  /** The end of a message or Sync: a transaction that no BEGIN opened commits. */
  async endImplicit(): Promise<void> {
    if (this.#isBlock || this.#state.transaction === null) return;
    await this.#commit();
  }

  /** A statement failed: a block waits for its ROLLBACK, anything else is undone now. */
  fail(): void {
    if (this.#isBlock) {
      this.#hasFailed = true;
      this.#closePortals();
      this.#closeCursors(true);
      this.#release();
    } else if (this.#state.transaction !== null) this.#rollback();
  }

  /** The client is gone. */
  async abandon(): Promise<void> {
    this.#rollback();
  }

  #begin(): void {
    const state = this.#state;
    const transaction = new Transaction(state.database);
    transaction.isolation = isolationOf(state.variables.get('default_transaction_isolation'));
    transaction.isReadOnly = state.variables.get('default_transaction_read_only') === 'on';
    state.transaction = transaction;
    const { variables } = state;
    variables.begin();
    if (transaction.isolation !== 'read committed')
      variables.set('transaction_isolation', transaction.isolation, true);
    if (transaction.isReadOnly) variables.set('transaction_read_only', 'on', true);
  }

  async #commit(): Promise<void> {
    const transaction = this.#state.transaction;
    try {
      if (transaction !== null) await transaction.commit();
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#state.variables.commit();
    this.#end();
  }

  #rollback(): void {
    this.#state.variables.rollback();
    this.#closeCursors(true);
    this.#end();
  }

  #end(): void {
    this.#isBlock = false;
    this.#hasFailed = false;
    this.#closePortals();
    this.#closeCursors(false);
    this.#release();
  }

  /** Cursors end with their transaction; one WITH HOLD only when it is undone. */
  #closeCursors(isUndone: boolean): void {
    const { cursors, transaction } = this.#state;
    for (const [name, cursor] of cursors) {
      if (cursor.isHeld && !(isUndone && cursor.transactionId === transaction?.id)) continue;
      cursor.rows.close();
      cursors.delete(name);
    }
  }

  /** Locks and the write set go at once, also while a failed block still waits for its ROLLBACK. */
  #release(): void {
    const { transaction, database } = this.#state;
    if (transaction === null) return;
    transaction.end((writes) => database.queries.releaseWrites(writes));
    this.#state.transaction = null;
  }
}

function isolationOf(text: string): Isolation {
  const isolation = text.toLowerCase();
  if (isolation === 'read uncommitted') return 'read committed';
  if (
    isolation === 'read committed' ||
    isolation === 'repeatable read' ||
    isolation === 'serializable'
  )
    return isolation;
  throw new SqlError('22023', `invalid value for parameter "transaction_isolation": "${text}"`);
}

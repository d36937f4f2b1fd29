/** What goes wrong with a PostgreSQL server: its SQLSTATE where it sent one, and the deepest cause in a sentence. */

import { SqlError } from '../../base/sql-error.ts';

/**
 * Classes of SQLSTATE that waiting may mend: connection, transaction state (a standby takes no writes), rollback (deadlock,
 * serialization), resources, objects in use (a lock was not given in time), operator intervention (shutdown), system and
 * internal errors.
 */
const PASSING: ReadonlySet<string> = new Set(['08', '25', '40', '53', '55', '57', '58', 'XX']);

export interface PostgresErrorFields {
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** A request failed. */
export class PostgresError extends Error {
  /** null: the connection did. */
  readonly sqlstate: string | null;
  readonly fields: PostgresErrorFields;

  constructor(message: string, sqlstate: string | null, fields: PostgresErrorFields = {}) {
    super(message);
    this.sqlstate = sqlstate;
    this.fields = fields;
  }

  get isPassing(): boolean {
    return this.sqlstate === null || PASSING.has(this.sqlstate.slice(0, 2));
  }

  /** As a statement's error: the server's own SQLSTATE; what cannot be reached is 08001. */
  toSqlError(what: string): SqlError {
    return new SqlError(this.sqlstate ?? '08001', `${what}: ${this.message}`, this.fields);
  }
}

/** What a failed connection or query tells. */
export function postgresErrorOf(error: unknown): PostgresError {
  if (error instanceof PostgresError) return error;
  if (error instanceof AggregateError && error.errors.length > 0) {
    return postgresErrorOf(error.errors[0]);
  }
  if (!(error instanceof Error)) return new PostgresError(String(error), null);
  const { code, detail, hint } = error as Error & { code?: string } & PostgresErrorFields;
  const sqlstate = code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : null;
  return new PostgresError(error.message, sqlstate, { detail, hint });
}

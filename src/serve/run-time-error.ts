/** Errors of single rows: PostgreSQL tells no position in the statement for what only shows when it runs. */

import { SqlError } from '../base/sql-error.ts';

export function atRunTime(error: SqlError): SqlError {
  if (error.fields.position === undefined) return error;
  return new SqlError(error.sqlstate, error.message, { ...error.fields, position: undefined });
}

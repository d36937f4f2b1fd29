/** A user's error: SQLSTATE, PostgreSQL's wording, detail, hint and position. */

import { featureHint } from './feature-hints.ts';

export interface SqlErrorFields {
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** 0-based offset into the statement's text in UTF-16 units; the wire turns it into 1-based characters. */
  readonly position?: number | undefined;
  /** Where in the input it was (CONTEXT): `COPY t, line 3`. */
  readonly where?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** FATAL closes the connection. */
  readonly severity?: 'ERROR' | 'FATAL' | undefined;
}

/** Data exceptions (class 22) and violated constraints (23): what is wrong with a row. */
function isOfData(sqlstate: string): boolean {
  return sqlstate.startsWith('22') || sqlstate.startsWith('23');
}

/** What is wrong with a row. It is no Error where it is a result: to make one takes V8 as long as to read a good record. */
export type DataError = Pick<SqlError, 'sqlstate' | 'message' | 'fields'>;

export class SqlError extends Error {
  override readonly name = 'SqlError';
  /** Five characters, PostgreSQL's Appendix A. */
  readonly sqlstate: string;
  readonly fields: SqlErrorFields;

  constructor(sqlstate: string, message: string, fields: SqlErrorFields = {}) {
    const limit = Error.stackTraceLimit;
    // Each row of bad input makes one, and V8's trace would take most of that row's time.
    if (isOfData(sqlstate)) Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.sqlstate = sqlstate;
    this.fields = fields;
  }

  /** The same error with a position, where it has none yet. */
  at(position: number | undefined): SqlError {
    if (position === undefined || this.fields.position !== undefined) return this;
    return new SqlError(this.sqlstate, this.message, { ...this.fields, position });
  }
}

/** The error to be thrown. */
export function sqlErrorOf(error: DataError): SqlError {
  if (error instanceof SqlError) return error;
  return new SqlError(error.sqlstate, error.message, error.fields);
}

/** An error where a single text is shown: the hint stands behind the message. */
export function statusText(error: Error): string {
  const hint = error instanceof SqlError ? error.fields.hint : undefined;
  return hint === undefined ? error.message : `${error.message}. ${hint}`;
}

/** What is recognised but not done yet: 0A000 with the feature named, and what to do instead (feature-hints.ts). */
export function notSupported(feature: string, fields: SqlErrorFields = {}): SqlError {
  const hint = fields.hint ?? featureHint(feature);
  return new SqlError('0A000', `${feature} is not supported`, { ...fields, hint });
}

/** ErrorResponse and NoticeResponse: the fields that clients read, in PostgreSQL's order. */

import { SqlError } from '../base/sql-error.ts';
import type { Notice } from '../session/port.ts';
import type { MessageBuffer } from './message-buffer.ts';

/** What became of a thrown thing on its way to the client. */
export interface ReportedError {
  readonly error: SqlError;
  /** The thrown thing was not a user's error: it belongs into the log with its stack. */
  readonly isInternal: boolean;
}

/** Turns whatever was thrown into an error that a client may see. */
export function reportedError(thrown: unknown): ReportedError {
  if (thrown instanceof SqlError) return { error: thrown, isInternal: false };
  if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) {
    const error = new SqlError('54001', 'stack depth limit exceeded', {
      hint: 'The statement is nested too deeply.',
    });
    return { error, isInternal: true };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { error: new SqlError('XX000', `internal error: ${message}`), isInternal: true };
}

/** ErrorResponse; `text` is the statement that the error's position counts in. */
export function writeError(out: MessageBuffer, error: SqlError, text?: string): void {
  const { fields } = error;
  const severity = fields.severity ?? 'ERROR';
  out.begin('E');
  field(out, 'S', severity);
  field(out, 'V', severity);
  field(out, 'C', error.sqlstate);
  field(out, 'M', error.message);
  field(out, 'D', fields.detail);
  field(out, 'H', fields.hint);
  if (fields.position !== undefined && text !== undefined) {
    field(out, 'P', String(characterPosition(text, fields.position)));
  }
  field(out, 'W', fields.where);
  field(out, 's', fields.schema);
  field(out, 't', fields.table);
  field(out, 'c', fields.column);
  field(out, 'n', fields.constraint);
  if (isStalePlan(error)) {
    field(out, 'F', 'plancache.c');
    field(out, 'R', 'RevalidateCachedQuery');
  }
  out.u8(0).end();
}

export function writeNotice(out: MessageBuffer, notice: Notice): void {
  out.begin('N');
  field(out, 'S', notice.severity);
  field(out, 'V', notice.severity);
  field(out, 'C', notice.sqlstate);
  field(out, 'M', notice.message);
  field(out, 'D', notice.detail);
  field(out, 'H', notice.hint);
  out.u8(0).end();
}

/** pgjdbc, postgres.js and asyncpg prepare again when they see this routine's name. */
function isStalePlan(error: SqlError): boolean {
  return error.sqlstate === '0A000' && /^cached plan must not change/.test(error.message);
}

function field(out: MessageBuffer, letter: string, value: string | undefined): void {
  if (value !== undefined) out.u8(letter.charCodeAt(0)).text(value);
}

/** The 1-based character (code point) at a UTF-16 offset: O(offset). */
export function characterPosition(text: string, offset: number): number {
  const end = Math.min(offset, text.length);
  let characters = 0;
  for (let i = 0; i < end; i++) {
    const unit = text.charCodeAt(i);
    const isHighSurrogate = unit >= 0xd800 && unit < 0xdc00;
    if (isHighSurrogate && i + 1 < end) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) i++;
    }
    characters++;
  }
  return characters + 1;
}

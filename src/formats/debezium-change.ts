/**
 * What a change event of Debezium says, however it is encoded: its "op" (c, r, u: the row in "after"; d: the key in "before";
 * t: TRUNCATE; m: a message of the database, which says nothing of rows), and the value that stands for one that has not
 * changed.
 *
 * https://debezium.io/documentation/reference/3.3/connectors/postgresql.html
 */

import { SqlError } from '../base/sql-error.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from './change-decoder.ts';
import type { DecodedColumn } from './csv.ts';

/**
 * The value that Debezium gives a column which it left out because it has not changed: as a text, as bytes, alone in an array of
 * texts or bytes, or its bytes as the numbers of an array.
 */
export const PLACEHOLDER = Buffer.from('__debezium_unavailable_value');
/** Alone in an array of uuid: java.util.UUID.nameUUIDFromBytes of it. */
export const PLACEHOLDER_UUID = 'b68a35a7-17ad-35b3-af2a-ae46edb4545a';

/** What the event does, as change-decoder.ts has it; `op` null: it has none. 22P02 where it is no event. */
export function changeOf(op: string | null): number {
  switch (op) {
    case 'c':
    case 'r':
    case 'u':
      return UPSERT;
    case 'd':
      return DELETE;
    case 't':
      return TRUNCATE;
    case 'm':
      return NO_CHANGE;
    case null:
      throw new SqlError('22P02', 'the record is no change of Debezium: it has no "op"');
    default:
      throw new SqlError('22P02', `the record has an unknown "op": "${op}"`);
  }
}

export function noAfter(): SqlError {
  return new SqlError('22P02', 'the record has no "after"');
}

export function noBefore(): SqlError {
  return new SqlError('22P02', 'the deleting record has no "before"', {
    hint: 'The table needs a REPLICA IDENTITY, such as its primary key.',
  });
}

/** Numbers of the columns with one of these names, which are in lower case. */
export function columnsNamed(
  names: ReadonlySet<string>,
  columns: readonly DecodedColumn[],
): number[] {
  return [...columns.entries()].flatMap(([column, { name }]) =>
    names.has(name.toLowerCase()) ? [column] : [],
  );
}

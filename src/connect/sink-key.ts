/** What identifies the rows that a sink sends: the options primary_key and on_duplicate_key, and what is proven of the query. */

import { SqlError } from '../base/sql-error.ts';
import { badValue, OptionError, type OptionSchema, type OptionValue } from './options.ts';
import type { SinkCheckRequest, UniqueKey } from './sink.ts';

/** Options that `checkSinkKey` reads. */
export const SINK_KEY_SCHEMA: OptionSchema = {
  primary_key: { kind: 'text', default: null },
  on_duplicate_key: { kind: 'choice', choices: ['error', 'latest'], default: null },
  force_append_only: { kind: 'boolean', default: false },
};

export interface SinkKey {
  /** In order; null: the records of the sink have none. */
  readonly columns: readonly number[] | null;
  /** null: the query has one row of each key, or every row is sent. */
  readonly uniqueKey: UniqueKey | null;
}

/** The key of a sink of `type`. `owner`: as errors call the connector. */
export function checkSinkKey(
  owner: string,
  type: string,
  options: ReadonlyMap<string, OptionValue>,
  request: SinkCheckRequest,
): SinkKey {
  const { changes } = request;
  const text = options.get('primary_key') as string | null;
  const onDuplicate = options.get('on_duplicate_key') as UniqueKey['onDuplicate'] | null;
  const named = text === null ? null : columnsNamed(text, request);
  if (type === 'append-only') {
    if (onDuplicate !== null) {
      throw badValue(owner, 'on_duplicate_key', onDuplicate, 'left out where every row is sent');
    }
    if (!changes.isAppendOnly && options.get('force_append_only') !== true) {
      throw new SqlError('0A000', 'an append-only sink cannot take a query whose rows change', {
        hint: "Use type = 'upsert', or EMIT ON WINDOW CLOSE; force_append_only = true leaves retractions out.",
      });
    }
    return { columns: named, uniqueKey: null };
  }
  const columns = named ?? changes.key;
  if (columns === null || columns.length === 0) {
    throw new SqlError('22023', `type "${type}" of ${owner} needs the option "primary_key"`, {
      hint: 'Name the columns that identify a row, separated by commas.',
    });
  }
  const isUnique = changes.key?.every((column) => columns.includes(column)) ?? false;
  return {
    columns,
    uniqueKey: isUnique ? null : { columns, onDuplicate: onDuplicate ?? 'error' },
  };
}

function columnsNamed(text: string, request: SinkCheckRequest): number[] {
  return text.split(',').map((part) => columnNamed('primary_key', part.trim(), request));
}

/** The number of the column that an option names: exactly, else in lower case; 42703. */
export function columnNamed(option: string, name: string, { columns }: SinkCheckRequest): number {
  const exact = columns.findIndex((column) => column.name === name);
  if (exact >= 0) return exact;
  const folded = columns.findIndex((column) => column.name === name.toLowerCase());
  if (folded >= 0) return folded;
  const place = { clause: 'with', name: option, part: 'value' } as const;
  throw new OptionError('42703', `column "${name}" does not exist`, place);
}

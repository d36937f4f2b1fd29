/** What identifies the rows that a sink sends: the option primary_key, checked against what is proven of the query. */

import { SqlError } from '../base/sql-error.ts';
import { OptionError, type OptionSchema, type OptionValue } from './options.ts';
import type { SinkCheckRequest } from './sink.ts';

/** Options that `checkSinkKey` reads. */
export const SINK_KEY_SCHEMA: OptionSchema = {
  primary_key: { kind: 'text', default: null },
  force_append_only: { kind: 'boolean', default: false },
};

/** The columns of the key of a sink of `type`, in order; null: its records have none. `owner`: as errors call the connector. */
export function checkSinkKey(
  owner: string,
  type: string,
  options: ReadonlyMap<string, OptionValue>,
  request: SinkCheckRequest,
): number[] | null {
  const { changes } = request;
  const text = options.get('primary_key') as string | null;
  const named = text === null ? null : columnsNamed(text, request);
  if (type === 'append-only') {
    if (!changes.isAppendOnly && options.get('force_append_only') !== true) {
      throw new SqlError('0A000', 'an append-only sink cannot take a query whose rows change', {
        hint: "Use type = 'upsert', or EMIT ON WINDOW CLOSE; force_append_only = true leaves retractions out.",
      });
    }
    return named;
  }
  const key = named ?? changes.key;
  if (key === null || key.length === 0) {
    throw new SqlError('22023', `type "${type}" of ${owner} needs the option "primary_key"`, {
      hint: 'Name the columns that identify a row, separated by commas.',
    });
  }
  const isUnique = changes.key?.every((column) => key.includes(column)) ?? false;
  if (!isUnique) {
    const hint =
      changes.key === null ? '' : ` The query's own key is (${namesOf(changes.key, request)}).`;
    throw new SqlError(
      '0A000',
      `the query may have several rows of one key (${namesOf(key, request)})`,
      {
        hint: `Group by the key, or keep one row of it by SELECT DISTINCT ON.${hint}`,
      },
    );
  }
  return [...key];
}

function namesOf(columns: readonly number[], { columns: all }: SinkCheckRequest): string {
  return columns.map((column) => all[column]!.name).join(', ');
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

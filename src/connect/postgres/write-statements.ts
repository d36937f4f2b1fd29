/**
 * The statements that bring rows into a table. Each takes many rows at once, as one array of texts for each column; nothing of
 * the user's but quoted names is part of their text.
 */

import { plainTypeName } from '../../types/type-name.ts';
import type { SinkColumn } from '../sink.ts';
import { quoted } from './client.ts';

/** A column of the sink, and the one of the table that it fills. */
export interface TargetColumn extends SinkColumn {
  /** The table's type as format_type shows it. */
  readonly targetType: string;
  /** The table's type is an enumeration: texts are cast to it. */
  readonly isEnum: boolean;
}

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export function quotedTable({ schema, name }: TableName): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

/** INSERT of rows; with a key the rows that are there are replaced. */
export function insertStatement(
  table: TableName,
  columns: readonly TargetColumn[],
  key: readonly number[] | null,
): string {
  const names = columns.map(({ name }) => quoted(name));
  const values = columns.map((column, i) => {
    const { type, targetType, isEnum } = column;
    return `r.c${i}::${isEnum ? targetType : plainTypeName(type)}`;
  });
  const insert = `INSERT INTO ${quotedTable(table)} (${names.join(', ')})
    SELECT ${values.join(', ')} FROM ${arrays(columns.length)}`;
  if (key === null) return insert;
  const changed = names.filter((_, i) => !key.includes(i));
  const action =
    changed.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${changed.map((name) => `${name} = excluded.${name}`).join(', ')}`;
  return `${insert} ON CONFLICT (${key.map((i) => names[i]).join(', ')}) ${action}`;
}

/** DELETE of the rows with these keys. */
export function deleteStatement(table: TableName, key: readonly TargetColumn[]): string {
  const conditions = key.map(({ name, type, targetType, isEnum }, i) => {
    const value = isEnum ? `r.c${i}` : `r.c${i}::${plainTypeName(type)}`;
    return `t.${quoted(name)} = ${value}::${targetType}`;
  });
  return `DELETE FROM ${quotedTable(table)} AS t USING ${arrays(key.length)}
    WHERE ${conditions.join(' AND ')}`;
}

function arrays(count: number): string {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const parameters = numbers.map((i) => `$${i + 1}::text[]`);
  return `unnest(${parameters.join(', ')}) AS r(${numbers.map((i) => `c${i}`).join(', ')})`;
}

/** The parameters for rows of so many columns. */
export function columnArrays(
  rows: readonly (readonly (string | null)[])[],
  columnCount: number,
): (string | null)[][] {
  return Array.from({ length: columnCount }, (_, i) => rows.map((row) => row[i] ?? null));
}

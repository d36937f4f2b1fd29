/** What a sink has to know of its table before it writes: whether columns, types and a unique key are there. */

import { SqlError } from '../../base/sql-error.ts';
import { typeName } from '../../types/type-name.ts';
import type { SinkColumn } from '../sink.ts';
import type { PostgresClient } from './client.ts';
import { quoted } from './client.ts';
import { quotedTable, type TableName, type TargetColumn } from './write-statements.ts';

interface FoundColumn {
  readonly number: number;
  readonly type: string;
  /** Of a domain, what it is made of. */
  readonly oid: number;
  readonly isEnum: boolean;
  readonly isNotNull: boolean;
  readonly isFilled: boolean;
}

/** Types that take one another's values as they are. */
const FAMILIES: readonly ReadonlySet<number>[] = [new Set([25, 1042, 1043]), new Set([114, 3802])];
const TEXT_OIDS: ReadonlySet<number> = new Set([25, 1042, 1043]);

/** The columns to be filled, checked: 42P01, 42703, 42804, 23502, 42P10. `key` null: rows are only added. */
export async function checkTarget(
  client: PostgresClient,
  table: TableName,
  columns: readonly SinkColumn[],
  key: readonly number[] | null,
): Promise<TargetColumn[]> {
  const oid = await findTable(client, table, columns, key);
  const found = await findColumns(client, oid);
  const casts = await implicitCasts(client);
  const targets = columns.map((column) => {
    const target = found.get(column.name);
    if (target === undefined) throw noColumn(table, column.name, [...found.keys()]);
    if (!isStorable(column, target, casts)) throw otherType(table, column, target);
    return { ...column, targetType: target.type, isEnum: target.isEnum };
  });
  const filled = new Set(columns.map(({ name }) => name));
  for (const [name, { isNotNull, isFilled }] of found) {
    if (filled.has(name) || !isNotNull || isFilled) continue;
    throw new SqlError(
      '23502',
      `the sink does not fill column "${name}" of ${quotedTable(table)}`,
      {
        hint: 'It is NOT NULL and has no default: give it one, or select a column of that name.',
      },
    );
  }
  if (key !== null) {
    const names = key.map((index) => columns[index]!.name);
    await checkKey(client, table, oid, names, found);
  }
  return targets;
}

async function findTable(
  client: PostgresClient,
  table: TableName,
  columns: readonly SinkColumn[],
  key: readonly number[] | null,
): Promise<string> {
  const [row] = await client.query(
    `SELECT c.oid, c.relkind IN ('r', 'p') FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.name],
  );
  if (row === undefined) {
    const definitions = columns.map(({ name, type }) => `${quoted(name)} ${typeName(type)}`);
    if (key !== null) {
      definitions.push(`PRIMARY KEY (${key.map((i) => quoted(columns[i]!.name)).join(', ')})`);
    }
    throw new SqlError('42P01', `PostgreSQL has no table ${quotedTable(table)}`, {
      hint: `Make it first: CREATE TABLE ${quotedTable(table)} (${definitions.join(', ')})`,
    });
  }
  if (row[1] !== 't') throw new SqlError('42809', `${quotedTable(table)} is not a table`);
  return row[0]!;
}

async function findColumns(
  client: PostgresClient,
  tableOid: string,
): Promise<Map<string, FoundColumn>> {
  const rows = await client.query(
    `SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod),
       CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, t.typtype = 'e',
       a.attnotnull, a.atthasdef OR a.attidentity <> ''
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [tableOid],
  );
  return new Map(
    rows.map(([name, number, type, oid, isEnum, isNotNull, isFilled]) => [
      name!,
      {
        number: Number(number),
        type: type!,
        oid: Number(oid),
        isEnum: isEnum === 't',
        isNotNull: isNotNull === 't',
        isFilled: isFilled === 't',
      },
    ]),
  );
}

/** `from to` by oid. */
async function implicitCasts(client: PostgresClient): Promise<Set<string>> {
  const rows = await client.query(
    "SELECT castsource, casttarget FROM pg_catalog.pg_cast WHERE castcontext = 'i'",
  );
  return new Set(rows.map(([from, to]) => `${from} ${to}`));
}

function isStorable(
  { type }: SinkColumn,
  { oid, isEnum }: FoundColumn,
  casts: ReadonlySet<string>,
): boolean {
  if (type.oid === oid || casts.has(`${type.oid} ${oid}`)) return true;
  if (isEnum) return TEXT_OIDS.has(type.oid);
  return FAMILIES.some((family) => family.has(type.oid) && family.has(oid));
}

/** ON CONFLICT needs a unique index on just the key; NULL would be a key of many rows there. */
async function checkKey(
  client: PostgresClient,
  table: TableName,
  tableOid: string,
  names: readonly string[],
  found: ReadonlyMap<string, FoundColumn>,
): Promise<void> {
  const numbers = names.map((name) => found.get(name)!.number).sort((a, b) => a - b);
  const indexes = await client.query(
    `SELECT (SELECT string_agg(k::text, ' ' ORDER BY k)
       FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k)
     FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
       AND i.indpred IS NULL AND i.indexprs IS NULL`,
    [tableOid],
  );
  const list = names.map(quoted).join(', ');
  const nullable = names.filter((name) => !found.get(name)!.isNotNull);
  if (indexes.every(([columns]) => columns !== numbers.join(' '))) {
    throw new SqlError('42P10', `${quotedTable(table)} has no unique key (${list})`, {
      hint: `ALTER TABLE ${quotedTable(table)} ADD PRIMARY KEY (${list})`,
    });
  }
  if (nullable.length === 0) return;
  const name = quoted(nullable[0]!);
  throw new SqlError('42P10', `column ${name} of the key of ${quotedTable(table)} may be NULL`, {
    hint: `ALTER TABLE ${quotedTable(table)} ALTER COLUMN ${name} SET NOT NULL`,
  });
}

function noColumn(table: TableName, name: string, names: readonly string[]): SqlError {
  return new SqlError('42703', `${quotedTable(table)} has no column "${name}"`, {
    detail: `It has: ${names.join(', ')}.`,
    hint: 'Columns are matched by name: rename one with AS in the query of the sink.',
  });
}

function otherType(table: TableName, { name, type }: SinkColumn, found: FoundColumn): SqlError {
  const message = `column "${name}" of ${quotedTable(table)} is of type ${found.type}, but the sink has ${typeName(type)}`;
  return new SqlError('42804', message, {
    hint: `Cast it in the query of the sink: CAST(${quoted(name)} AS ${found.type}).`,
  });
}

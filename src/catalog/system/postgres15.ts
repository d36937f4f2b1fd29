/**
 * What a real PostgreSQL 15 says of its own catalogs: the columns of every relation of pg_catalog and information_schema,
 * and the rows of those that never change (types, functions, operators, casts ...). Made by export-postgres15.sh.
 */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { assert, must } from '../../base/assert.ts';
import {
  arrayOf,
  type DataType,
  INT2,
  OID,
  TEXT,
  typeByOid,
  withTypmod,
} from '../../types/data-type.ts';
import type { SystemRelation } from '../objects.ts';

/** Types that are shown as a plainer one: vectors as arrays, expression trees and access rights as text. */
const PLAINER_TYPE: ReadonlyMap<number, DataType> = new Map([
  [22, must(arrayOf(INT2))],
  [30, must(arrayOf(OID))],
  [1034, must(arrayOf(TEXT))],
  [2277, must(arrayOf(TEXT))],
]);

interface RelationLine {
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  readonly kind: 'r' | 'v';
  readonly columns: readonly (readonly [string, number, number, number, boolean])[];
}

interface StaticLine {
  readonly static: string;
  /** COPY text format: fields by tabs, \N for NULL. */
  readonly rows: readonly string[];
}

interface Postgres15 {
  readonly relations: readonly SystemRelation[];
  readonly rows: ReadonlyMap<string, readonly string[]>;
}

let loaded: Postgres15 | null = null;

function load(): Postgres15 {
  if (loaded !== null) return loaded;
  const text = gunzipSync(readFileSync(new URL('./postgres15.jsonl.gz', import.meta.url)));
  const relations: SystemRelation[] = [];
  const rows = new Map<string, readonly string[]>();
  for (const line of text.toString('utf8').split('\n')) {
    if (line === '') continue;
    const fact: RelationLine | StaticLine = JSON.parse(line);
    if ('static' in fact) rows.set(fact.static, fact.rows);
    else if (!fact.name.startsWith('_pg_')) relations.push(relationOf(fact));
  }
  assert(rows.size > 0 && relations.length > 0, 'the PostgreSQL 15 fact sheet is empty');
  loaded = { relations, rows };
  return loaded;
}

function columnType(oid: number, typmod: number): DataType {
  const plainer = PLAINER_TYPE.get(oid);
  if (plainer !== undefined) return plainer;
  const type = typeByOid(oid);
  return type === undefined ? TEXT : withTypmod(type, typmod);
}

function relationOf(line: RelationLine): SystemRelation {
  return Object.freeze({
    kind: 'system',
    schema: line.schema,
    name: line.name,
    oid: line.oid,
    relkind: line.kind,
    columns: line.columns.map(([name, type, typmod, , isNotNull]) => ({
      name,
      type: columnType(type, typmod),
      isNotNull,
    })),
  });
}

/** Every relation of pg_catalog and information_schema. */
export function postgresRelations(): readonly SystemRelation[] {
  return load().relations;
}

/** Rows of a static relation as COPY text lines; undefined where its rows depend on what exists. */
export function staticRows(name: string): readonly string[] | undefined {
  return load().rows.get(name);
}

interface FunctionNames {
  readonly byName: ReadonlyMap<string, number>;
  readonly byOid: ReadonlyMap<number, string>;
}

let functions: FunctionNames | null = null;

/** pg_proc's names and OIDs; of overloads the first. */
export function functionNames(): FunctionNames {
  if (functions !== null) return functions;
  const byName = new Map<string, number>();
  const byOid = new Map<number, string>();
  for (const line of staticRows('pg_proc') ?? []) {
    const [oid, name] = line.split('\t', 2);
    if (!byName.has(name!)) byName.set(name!, Number(oid));
    byOid.set(Number(oid), name!);
  }
  functions = { byName, byOid };
  return functions;
}

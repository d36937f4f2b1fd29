/** The views of pg_catalog over relations: pg_tables, pg_views, pg_matviews, pg_indexes. */

import { BOOTSTRAP_OWNER, type Catalog } from '../catalog.ts';
import type { IndexObject, RelationObject } from '../objects.ts';
import { indexesOf } from './pg-relations.ts';
import type { SystemRow, SystemRowSource } from './system-row.ts';

/** An identifier as SQL must write it. */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** CREATE INDEX of an index, as pg_get_indexdef gives it. */
export function indexDefinition(catalog: Catalog, index: IndexObject): string {
  const relation = catalog.object(index.relationId) as Exclude<RelationObject, IndexObject>;
  const name = (column: number) => quoteIdentifier(relation.columns[column]!.name);
  const keys = index.keys.map(({ column, descending, nullsFirst }) => {
    const direction = descending ? ' DESC' : '';
    const nulls = nullsFirst === descending ? '' : nullsFirst ? ' NULLS FIRST' : ' NULLS LAST';
    return `${name(column)}${direction}${nulls}`;
  });
  const include =
    index.include.length === 0 ? '' : ` INCLUDE (${index.include.map(name).join(', ')})`;
  const table = `${quoteIdentifier(catalog.schemaName(relation))}.${quoteIdentifier(relation.name)}`;
  const unique = index.isUnique ? 'UNIQUE ' : '';
  return `CREATE ${unique}INDEX ${quoteIdentifier(index.name)} ON ${table} USING btree (${keys.join(', ')})${include}`;
}

/** Objects of one kind with the name of their schema. */
function* ofKind<K extends RelationObject['kind']>(
  catalog: Catalog,
  kind: K,
): Generator<readonly [Extract<RelationObject, { kind: K }>, string]> {
  for (const object of catalog.objects()) {
    if (object.kind === kind) {
      const found = object as Extract<RelationObject, { kind: K }>;
      yield [found, catalog.schemaName(found)];
    }
  }
}

function* tables(catalog: Catalog): Generator<SystemRow> {
  for (const [table, schemaname] of ofKind(catalog, 'table')) {
    const hasindexes = indexesOf(catalog, table.id).length > 0;
    yield {
      schemaname,
      tablename: table.name,
      tableowner: BOOTSTRAP_OWNER,
      hasindexes,
      hasrules: false,
      hastriggers: false,
      rowsecurity: false,
    };
  }
}

function* views(catalog: Catalog): Generator<SystemRow> {
  for (const [view, schemaname] of ofKind(catalog, 'view')) {
    yield {
      schemaname,
      viewname: view.name,
      viewowner: BOOTSTRAP_OWNER,
      definition: ` ${view.sql};`,
    };
  }
}

function* materializedViews(catalog: Catalog): Generator<SystemRow> {
  for (const [view, schemaname] of ofKind(catalog, 'materialized_view')) {
    const hasindexes = indexesOf(catalog, view.id).length > 0;
    yield {
      schemaname,
      matviewname: view.name,
      matviewowner: BOOTSTRAP_OWNER,
      hasindexes,
      ispopulated: true,
      definition: ` ${view.sql};`,
    };
  }
}

function* indexes(catalog: Catalog): Generator<SystemRow> {
  for (const [index, schemaname] of ofKind(catalog, 'index')) {
    const relation = catalog.object(index.relationId);
    yield {
      schemaname,
      tablename: relation?.name ?? null,
      indexname: index.name,
      indexdef: indexDefinition(catalog, index),
    };
  }
}

export const pgViewRows: readonly (readonly [string, SystemRowSource])[] = [
  ['pg_catalog.pg_tables', ({ catalog }) => tables(catalog)],
  ['pg_catalog.pg_views', ({ catalog }) => views(catalog)],
  ['pg_catalog.pg_matviews', ({ catalog }) => materializedViews(catalog)],
  ['pg_catalog.pg_indexes', ({ catalog }) => indexes(catalog)],
];

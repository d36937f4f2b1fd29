import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { INT4, TEXT } from '../types/data-type.ts';
import { Catalog, type CatalogChange, PUBLIC_SCHEMA_ID } from './catalog.ts';
import { dropObjects } from './drop.ts';
import type { CatalogColumn, CatalogObject, SystemRelation } from './objects.ts';

function column(name: string): CatalogColumn {
  return {
    name,
    type: INT4,
    isNotNull: false,
    defaultText: null,
    defaultExpr: null,
    generatedText: null,
    generatedExpr: null,
    included: null,
    comment: null,
  };
}

function table(id: number, name: string, schemaId = PUBLIC_SCHEMA_ID): CatalogObject {
  return {
    kind: 'table',
    id,
    name,
    owner: 'millrace',
    comment: null,
    schemaId,
    columns: [column('a')],
    constraints: [{ kind: 'primary_key', name: `${name}_pkey`, columns: [0] }],
    watermark: null,
    isAppendOnly: false,
    onConflict: null,
    connector: null,
    settings: {},
  };
}

function view(id: number, name: string, dependsOn: readonly number[]): CatalogObject {
  return {
    kind: 'materialized_view',
    id,
    name,
    owner: 'millrace',
    comment: null,
    schemaId: PUBLIC_SCHEMA_ID,
    columns: [column('a')],
    sql: 'SELECT 1',
    plan: null,
    properties: { key: null, isAppendOnly: false, watermarks: [] },
    options: {},
    dependsOn,
    settings: {},
  };
}

function put(...puts: CatalogObject[]): CatalogChange {
  return { puts, removes: [], nextId: Math.max(16384, ...puts.map((object) => object.id + 1)) };
}

const PG_CLASS: SystemRelation = {
  kind: 'system',
  schema: 'pg_catalog',
  name: 'pg_class',
  oid: 1259,
  relkind: 'r',
  columns: [{ name: 'relname', type: TEXT }],
};

test('names are found by search path, pg_catalog first', () => {
  const schema: CatalogObject = {
    kind: 'schema',
    id: 16384,
    name: 's',
    owner: 'millrace',
    comment: null,
  };
  const catalog = Catalog.create([PG_CLASS]).apply(
    put(schema, table(16385, 't'), table(16386, 't', 16384), table(16387, 'pg_class')),
  );
  const find = (name: string, path: string[], schemaName: string | null = null) => {
    const found = catalog.findRelation({ schema: schemaName, name }, path);
    return found === undefined ? undefined : found.kind === 'system' ? found.oid : found.id;
  };
  assert.equal(find('t', ['public', 's']), 16385);
  assert.equal(find('t', ['s', 'public']), 16386);
  assert.equal(find('t', ['nowhere']), undefined);
  assert.equal(find('t', ['public'], 's'), 16386);
  assert.equal(find('pg_class', ['public']), 1259);
  assert.equal(find('pg_class', ['public', 'pg_catalog']), 16387);
  assert.throws(
    () => catalog.creationSchema(null, ['nowhere']),
    (error) => error instanceof SqlError && error.sqlstate === '3F000',
  );
});

test('an image gives the same catalog; a snapshot does not change', () => {
  const first = Catalog.create();
  const second = first.apply(put(table(16384, 't')));
  assert.equal(first.object(16384), undefined);
  const again = Catalog.fromImage(JSON.parse(JSON.stringify(second.toImage())));
  assert.deepEqual(again.toImage(), second.toImage());
  assert.equal(again.nextId, 16385);
});

test('changes of a transaction merge into one', () => {
  const base = Catalog.create().apply(put(table(16384, 't')));
  const change = Catalog.merge(
    [
      { puts: [table(16385, 'u')], removes: [], nextId: 16386 },
      { puts: [], removes: [16385, 16384], nextId: 16386 },
      { puts: [table(16386, 't')], removes: [], nextId: 16387 },
    ],
    base,
  );
  assert.deepEqual(change.removes, [16384]);
  assert.deepEqual(
    change.puts.map((object) => object.id),
    [16386],
  );
  assert.equal(base.apply(change).nextId, 16387);
});

test('RESTRICT names who depends, CASCADE takes them along', () => {
  const catalog = Catalog.create().apply(
    put(table(16384, 't'), view(16385, 'v', [16384]), view(16386, 'w', [16385])),
  );
  const target = catalog.object(16384);
  assert.ok(target);
  assert.throws(
    () => dropObjects(catalog, [target], 'restrict', ['public']),
    (error) => {
      assert.ok(error instanceof SqlError);
      assert.equal(error.sqlstate, '2BP01');
      assert.equal(error.message, 'cannot drop table t because other objects depend on it');
      assert.equal(
        error.fields.detail,
        'materialized view v depends on table t\nmaterialized view w depends on materialized view v',
      );
      assert.equal(error.fields.hint, 'Use DROP ... CASCADE to drop the dependent objects too.');
      return true;
    },
  );
  const result = dropObjects(catalog, [target], 'cascade', ['public']);
  assert.deepEqual(result.change.removes, [16386, 16385, 16384]);
  assert.deepEqual(result.notice, {
    message: 'drop cascades to 2 other objects',
    detail: 'drop cascades to materialized view v\ndrop cascades to materialized view w',
  });
  const path: string[] = [];
  assert.match(dropObjects(catalog, [target], 'cascade', path).notice?.detail ?? '', /public\.v/);
});

test('dropping a whole list at once needs no CASCADE among its members', () => {
  const catalog = Catalog.create().apply(put(table(16384, 't'), view(16385, 'v', [16384])));
  const targets = [catalog.object(16384), catalog.object(16385)].filter((o) => o !== undefined);
  const result = dropObjects(catalog, targets, 'restrict', ['public']);
  assert.deepEqual([...result.change.removes].sort(), [16384, 16385]);
  assert.equal(result.notice, null);
});

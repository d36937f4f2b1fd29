/** pg_index and pg_constraint. */

import { must } from '../../base/assert.ts';
import type { Constraint, IndexObject, TableObject } from '../objects.ts';
import { constraintOid, DEFAULT_COLLATION_OID } from './oids.ts';
import { indexesOf } from './pg-relations.ts';
import { type SystemRow, type SystemRowsContext, zeroBased } from './system-row.ts';

const INDEX_DESCENDING = 1;
const INDEX_NULLS_FIRST = 2;

export function* indexRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of catalog.objects()) {
    if (object.kind !== 'index') continue;
    const relation = catalog.object(object.relationId);
    const constraint = relation?.kind === 'table' ? constraintOfIndex(relation, object) : undefined;
    const columns = [...object.keys.map((key) => key.column), ...object.include];
    yield {
      indexrelid: object.id,
      indrelid: object.relationId,
      indnatts: columns.length,
      indnkeyatts: object.keys.length,
      indisunique: object.isUnique,
      indisprimary: constraint?.kind === 'primary_key',
      indimmediate: true,
      indisvalid: true,
      indisready: true,
      indislive: true,
      indkey: zeroBased(columns.map((column) => column + 1)),
      indcollation: zeroBased(object.keys.map(() => DEFAULT_COLLATION_OID)),
      indclass: zeroBased(object.keys.map(() => 0)),
      indoption: zeroBased(
        object.keys.map(
          (key) =>
            (key.descending ? INDEX_DESCENDING : 0) | (key.nullsFirst ? INDEX_NULLS_FIRST : 0),
        ),
      ),
      indexprs: null,
      indpred: null,
    };
  }
}

export function constraintOfIndex(table: TableObject, index: IndexObject): Constraint | undefined {
  return table.constraints.find((constraint) => constraint.name === index.constraintName);
}

const CONSTRAINT_TYPE = { primary_key: 'p', unique: 'u', check: 'c' } as const;

export function* constraintRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of catalog.objects()) {
    if (object.kind !== 'table' && object.kind !== 'source') continue;
    const indexes = indexesOf(catalog, object.id);
    for (const [number, constraint] of object.constraints.entries()) {
      const index = indexes.find((candidate) => candidate.constraintName === constraint.name);
      yield {
        oid: constraintOid(object.id, number),
        conname: constraint.name,
        connamespace: object.schemaId,
        contype: must(CONSTRAINT_TYPE[constraint.kind]),
        convalidated: true,
        conrelid: object.id,
        conindid: index?.id ?? 0,
        confupdtype: ' ',
        confdeltype: ' ',
        confmatchtype: ' ',
        conislocal: true,
        connoinherit: constraint.kind !== 'check',
        conkey:
          constraint.kind === 'check'
            ? null
            : `{${constraint.columns.map((column) => column + 1).join(',')}}`,
        confkey: null,
        conpfeqop: null,
        conppeqop: null,
        conffeqop: null,
        confdelsetcols: null,
        conexclop: null,
        conbin: constraint.kind === 'check' ? constraint.text : null,
      };
    }
  }
}

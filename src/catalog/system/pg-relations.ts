/** pg_namespace, pg_class, pg_attribute, pg_attrdef, pg_description: what relations there are. */

import type { DataType } from '../../types/data-type.ts';
import { type Catalog, PG_CATALOG_SCHEMA_ID } from '../catalog.ts';
import {
  type CatalogColumn,
  type CatalogObject,
  type IndexObject,
  isRelation,
  type RelationObject,
  relkindOf,
  type SystemRelation,
} from '../objects.ts';
import {
  attrdefOid,
  DEFAULT_COLLATION_OID,
  MILLRACE_ROLE_OID,
  PG_CLASS_CLASS,
  PG_NAMESPACE_CLASS,
} from './oids.ts';
import type { SystemRow, SystemRowsContext } from './system-row.ts';

const HEAP = 2;
const BTREE = 403;

export function* namespaceRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const schema of catalog.schemas()) {
    yield { oid: schema.id, nspname: schema.name, nspowner: MILLRACE_ROLE_OID, nspacl: null };
  }
}

/** Relations that have a row in pg_class. */
export function* shownRelations(catalog: Catalog): Generator<RelationObject> {
  for (const object of catalog.objects()) {
    if (isRelation(object) && relkindOf(object) !== null) yield object;
  }
}

export function indexesOf(catalog: Catalog, relationId: number): IndexObject[] {
  return catalog
    .objects()
    .filter(
      (object): object is IndexObject =>
        object.kind === 'index' && object.relationId === relationId,
    );
}

/** The columns that pg_attribute shows of a relation; an index has those of its keys, then what it includes. */
export function shownColumns(catalog: Catalog, object: RelationObject): readonly CatalogColumn[] {
  if (object.kind !== 'index') return object.columns;
  const relation = catalog.object(object.relationId) as Exclude<RelationObject, IndexObject>;
  return [...object.keys.map((key) => key.column), ...object.include].map(
    (column) => relation.columns[column]!,
  );
}

function accessMethod(kind: string | null): number {
  return kind === 'i' ? BTREE : kind === 'r' || kind === 'm' ? HEAP : 0;
}

const CLASS_DEFAULTS: SystemRow = {
  relowner: MILLRACE_ROLE_OID,
  reltuples: -1,
  relpersistence: 'p',
  relispopulated: true,
  relacl: null,
  reloptions: null,
  relpartbound: null,
};

export function* classRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of shownRelations(catalog)) {
    const relkind = relkindOf(object);
    const constraints =
      object.kind === 'table' || object.kind === 'source' ? object.constraints : [];
    yield {
      ...CLASS_DEFAULTS,
      oid: object.id,
      relname: object.name,
      relnamespace: object.schemaId,
      relam: accessMethod(relkind),
      relfilenode: relkind === 'v' || relkind === 'f' ? 0 : object.id,
      relkind,
      relnatts: shownColumns(catalog, object).length,
      relchecks: constraints.filter((constraint) => constraint.kind === 'check').length,
      relhasindex: object.kind !== 'index' && indexesOf(catalog, object.id).length > 0,
      relhasrules: relkind === 'v' || relkind === 'm',
      relreplident: relkind === 'r' || relkind === 'm' ? 'd' : 'n',
    };
  }
  for (const relation of catalog.systemRelations()) {
    yield {
      ...CLASS_DEFAULTS,
      oid: relation.oid,
      relname: relation.name,
      relnamespace: catalog.schema(relation.schema)?.id ?? PG_CATALOG_SCHEMA_ID,
      relam: accessMethod(relation.relkind),
      relkind: relation.relkind,
      relnatts: relation.columns.length,
      relreplident: 'n',
    };
  }
}

/** pg_type's typlen, typbyval, typalign, typstorage, by storage. */
function physical(type: DataType): SystemRow {
  switch (type.id) {
    case 'bool':
      return { attlen: 1, attbyval: true, attalign: 'c', attstorage: 'p' };
    case 'int2':
      return { attlen: 2, attbyval: true, attalign: 's', attstorage: 'p' };
    case 'name':
      return { attlen: 64, attbyval: false, attalign: 'c', attstorage: 'p' };
    case 'numeric':
      return { attlen: -1, attbyval: false, attalign: 'i', attstorage: 'm' };
    case 'interval':
    case 'uuid':
      return {
        attlen: 16,
        attbyval: false,
        attalign: type.id === 'uuid' ? 'c' : 'd',
        attstorage: 'p',
      };
    case 'int4':
    case 'date':
    case 'float4':
    case 'oid':
    case 'xid':
    case 'regclass':
    case 'regtype':
    case 'regproc':
    case 'regnamespace':
    case 'regrole':
      return { attlen: 4, attbyval: true, attalign: 'i', attstorage: 'p' };
    default:
      return type.storage === 'view'
        ? { attlen: -1, attbyval: false, attalign: 'i', attstorage: 'x' }
        : { attlen: 8, attbyval: true, attalign: 'd', attstorage: 'p' };
  }
}

const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar']);

function collationOf(type: DataType): number {
  return TEXT_TYPES.has((type.element ?? type).id) ? DEFAULT_COLLATION_OID : 0;
}

function attribute(relationId: number, name: string, type: DataType, number: number): SystemRow {
  return {
    attrelid: relationId,
    attname: name,
    atttypid: type.oid,
    attstattarget: -1,
    ...physical(type),
    attnum: number,
    attndims: type.id === 'array' ? 1 : 0,
    attcacheoff: -1,
    atttypmod: type.typmod,
    attcompression: '',
    attidentity: '',
    attgenerated: '',
    attislocal: true,
    attcollation: collationOf(type),
    attacl: null,
    attoptions: null,
    attfdwoptions: null,
    attmissingval: null,
  };
}

export function* attributeRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of shownRelations(catalog)) {
    for (const [index, column] of shownColumns(catalog, object).entries()) {
      const isOwn = object.kind !== 'index';
      yield {
        ...attribute(object.id, column.name, column.type, index + 1),
        // What is known of a view's columns is no constraint of theirs.
        attnotnull: (object.kind === 'table' || object.kind === 'source') && column.isNotNull,
        atthasdef: isOwn && (column.defaultText !== null || column.generatedText !== null),
        attgenerated: isOwn && column.generatedText !== null ? 's' : '',
      };
    }
  }
  for (const relation of catalog.systemRelations()) {
    for (const [index, column] of relation.columns.entries()) {
      yield {
        ...attribute(relation.oid, column.name, column.type, index + 1),
        attnotnull: column.isNotNull === true,
      };
    }
  }
}

export function* defaultRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of shownRelations(catalog)) {
    if (object.kind === 'index') continue;
    for (const [index, column] of object.columns.entries()) {
      const text = column.defaultText ?? column.generatedText;
      if (text === null) continue;
      yield {
        oid: attrdefOid(object.id, index),
        adrelid: object.id,
        adnum: index + 1,
        adbin: text,
      };
    }
  }
}

export function* descriptionRows({ catalog }: SystemRowsContext): Generator<SystemRow> {
  for (const object of [
    ...catalog.schemas(),
    ...shownRelations(catalog),
  ] as readonly CatalogObject[]) {
    const classoid = object.kind === 'schema' ? PG_NAMESPACE_CLASS : PG_CLASS_CLASS;
    if (object.comment !== null) {
      yield { objoid: object.id, classoid, objsubid: 0, description: object.comment };
    }
    if (!isRelation(object) || object.kind === 'index') continue;
    for (const [index, column] of object.columns.entries()) {
      if (column.comment === null) continue;
      yield { objoid: object.id, classoid, objsubid: index + 1, description: column.comment };
    }
  }
}

/** The relation's name in the way that a statement must write it: with its schema where the path does not find it. */
export function isFoundByPath(
  catalog: Catalog,
  object: RelationObject | SystemRelation,
  searchPath: readonly string[],
): boolean {
  return catalog.findRelation({ schema: null, name: object.name }, searchPath) === object;
}

/** What the handlers of CREATE, DROP and ALTER share: finding names, making changes, shaping relations for the engine. */

import { must } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import { BOOTSTRAP_OWNER, type Catalog, type CatalogChange } from '../catalog/catalog.ts';
import {
  type CatalogColumn,
  type CatalogObject,
  constraintKey,
  type FrozenSettings,
  type IndexObject,
  type KeyConstraint,
  kindName,
  type MaterializedViewObject,
  type RelationObject,
  type SchemaObject,
  type SystemRelation,
  type TableObject,
} from '../catalog/objects.ts';
import type { EngineColumn, EngineWatermark } from '../dataflow/port.ts';
import type { StreamPlan } from '../plan/plan-node.ts';
import type { QualifiedName } from '../sql/ast.ts';
import type { ObjectKind } from '../sql/statements.ts';
import type { IndexSchema, RelationSchema } from '../state/relation-schema.ts';
import { DATABASE_NAME } from './database.ts';
import type { SessionState } from './session-state.ts';

/** Settings that an object keeps from its CREATE (semantics.md rule 10). */
const FROZEN = [
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'bytea_output',
  'extra_float_digits',
  'search_path',
];

const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  'pg_catalog',
  'information_schema',
  'millrace',
]);

export function frozenSettings(session: SessionState): FrozenSettings {
  return Object.fromEntries(
    FROZEN.map((name) => [name.toLowerCase(), session.variables.get(name)]),
  );
}

/** Schema and name of [name], [schema, name] or [database, schema, name]. */
export function splitName(name: QualifiedName): {
  readonly schema: string | null;
  readonly name: string;
} {
  const { parts } = name;
  if (parts.length > 3 || (parts.length === 3 && parts[0] !== DATABASE_NAME)) {
    throw new SqlError(
      '0A000',
      `cross-database references are not implemented: "${parts.join('.')}"`,
      { position: name.position },
    );
  }
  return { schema: parts.length > 1 ? parts.at(-2)! : null, name: must(parts.at(-1)) };
}

/** Where a new object goes. */
export interface Placement {
  readonly schema: SchemaObject;
  readonly name: string;
  /** What has the name already. */
  readonly existing: RelationObject | null;
}

export function placeNew(catalog: Catalog, name: QualifiedName, session: SessionState): Placement {
  const split = splitName(name);
  const schema = catalog.creationSchema(split.schema, session.searchPath, name.position);
  if (SYSTEM_SCHEMAS.has(schema.name)) {
    throw new SqlError('42501', `permission denied to create "${schema.name}.${split.name}"`, {
      detail: 'System catalog modifications are currently disallowed.',
    });
  }
  return { schema, name: split.name, existing: catalog.relationIn(schema.id, split.name) ?? null };
}

/** Takes the catalog's lock and places the name; null: it is there already and IF NOT EXISTS was said (a NOTICE went out). */
export async function placeForCreate(
  name: QualifiedName,
  ifNotExists: boolean,
  session: SessionState,
  what: string,
): Promise<Placement | null> {
  session.running.requireWritable(what);
  await session.running.lockCatalog(session.lockWait);
  const placement = placeNew(session.catalog, name, session);
  if (placement.existing === null) return placement;
  if (!ifNotExists) throw alreadyExists(placement.name);
  session.notice(`relation "${placement.name}" already exists, skipping`, { sqlstate: '42P07' });
  return null;
}

/** Microseconds between two pushes of a relation's changes (semantics.md rule 22); null: each epoch's at once. */
export function emitPeriod(relation: CatalogObject | SystemRelation | undefined): string | null {
  if (relation?.kind !== 'materialized_view') return null;
  return (relation.plan as unknown as StreamPlan).emitPeriodUs;
}

export function alreadyExists(name: string): SqlError {
  return new SqlError('42P07', `relation "${name}" already exists`);
}

/** The fields that every object has. */
export function objectBase(id: number, name: string) {
  return { id, name, owner: BOOTSTRAP_OWNER, comment: null } as const;
}

export function changeOf(
  catalog: Catalog,
  puts: readonly CatalogObject[],
  removes: readonly number[] = [],
): CatalogChange {
  const nextId = Math.max(catalog.nextId, ...puts.map((object) => object.id + 1));
  return { puts, removes, nextId };
}

const KIND_OF_OBJECT: Readonly<Partial<Record<ObjectKind, RelationObject['kind']>>> = {
  table: 'table',
  source: 'source',
  sink: 'sink',
  view: 'view',
  'materialized view': 'materialized_view',
  index: 'index',
};

/** The relation that a statement about `object` names; null where it is missing. Wrong kind: 42809. */
export function findObject(
  object: ObjectKind,
  name: QualifiedName,
  session: SessionState,
  verb: 'DROP' | 'ALTER' | 'COMMENT' | 'SHOW CREATE' | 'EXPLAIN' | 'RESUME',
): RelationObject | null {
  const split = splitName(name);
  if (split.schema !== null) session.catalog.requireSchema(split.schema, name.position);
  const found = session.catalog.findRelation(split, session.searchPath);
  if (found === undefined) return null;
  if (found.kind === 'system') {
    throw new SqlError('42501', `permission denied: "${split.name}" is a system catalog`, {
      position: name.position,
    });
  }
  if (found.kind !== KIND_OF_OBJECT[object]) {
    const article = /^[aeiou]/.test(object) ? 'an' : 'a';
    const actual = kindName(found);
    throw new SqlError('42809', `"${split.name}" is not ${article} ${object}`, {
      position: name.position,
      hint: `Use ${verb} ${actual.toUpperCase()}${verb === 'DROP' ? ` to remove ${/^[aeiou]/.test(actual) ? 'an' : 'a'} ${actual}` : ''}.`,
    });
  }
  return found;
}

export function notFound(object: ObjectKind, name: QualifiedName): SqlError {
  const text = name.parts.join('.');
  if (object === 'schema') return new SqlError('3F000', `schema "${text}" does not exist`);
  const sqlstate = object === 'index' || object === 'secret' ? '42704' : '42P01';
  return new SqlError(sqlstate, `${object} "${text}" does not exist`);
}

/** What ALTER, TRUNCATE and COPY say of a name that nothing has. */
export function missingRelation(name: QualifiedName): SqlError {
  return new SqlError('42P01', `relation "${name.parts.join('.')}" does not exist`);
}

export function engineColumns(columns: readonly CatalogColumn[]): EngineColumn[] {
  return columns.map(({ name, type }) => ({ name, type }));
}

export function engineWatermark(table: Pick<TableObject, 'watermark'>): EngineWatermark | null {
  const { watermark } = table;
  return watermark === null ? null : { column: watermark.column, delayUs: watermark.delayUs };
}

/** The stored form of a table: found again by its key, with an index for each other unique constraint. */
export function tableSchema(table: TableObject): RelationSchema {
  const key = constraintKey(table.columns, table.constraints);
  const unique = table.constraints.filter(
    (one): one is KeyConstraint => one.kind !== 'check' && one.columns !== key,
  );
  return {
    storages: table.columns.map((column) => column.type.storage),
    key,
    isAppendOnly: table.isAppendOnly,
    indexes: unique.map(
      (one): IndexSchema => ({ name: one.name, columns: one.columns, isUnique: true }),
    ),
  };
}

export function viewSchema(
  view: Pick<MaterializedViewObject, 'columns' | 'properties'>,
): RelationSchema {
  return {
    storages: view.columns.map((column) => column.type.storage),
    key: view.properties.key,
    isAppendOnly: view.properties.isAppendOnly,
    indexes: [],
  };
}

/** The index that holds a key constraint. */
export function constraintIndex(
  id: number,
  table: TableObject,
  constraint: KeyConstraint,
): IndexObject {
  return {
    kind: 'index',
    ...objectBase(id, constraint.name),
    schemaId: table.schemaId,
    relationId: table.id,
    isUnique: true,
    keys: constraint.columns.map((column) => ({ column, descending: false, nullsFirst: false })),
    include: [],
    constraintName: constraint.name,
  };
}

/** A version 4 UUID (RFC 9562). */
export function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

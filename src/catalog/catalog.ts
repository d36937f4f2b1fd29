/**
 * The catalog: an immutable snapshot of what exists. A change gives a new snapshot; a transaction's overlay is a snapshot
 * with its changes applied. Lookup by id or name is O(1); `apply` copies the maps, O(objects).
 */

import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import {
  type CatalogObject,
  dependenciesOf,
  type RelationObject,
  type SchemaObject,
  type SecretObject,
  type SystemRelation,
} from './objects.ts';

/** User objects' ids start here, as PostgreSQL's OIDs do. */
export const FIRST_USER_ID = 16384;
/** pg_namespace OIDs that PostgreSQL fixes. */
export const PG_CATALOG_SCHEMA_ID = 11;
export const PUBLIC_SCHEMA_ID = 2200;
export const INFORMATION_SCHEMA_ID = 13000;
export const MILLRACE_SCHEMA_ID = 13001;
/** The superuser's pg_authid OID. */
export const BOOTSTRAP_OWNER = 'millrace';

/** A list of objects put (new or replaced) and removed: what the log and the checkpoint hold of DDL. */
export interface CatalogChange {
  readonly puts: readonly CatalogObject[];
  readonly removes: readonly number[];
  /** The next id that is free after this change. */
  readonly nextId: number;
}

/** The whole catalog as JSON. */
export interface CatalogImage {
  readonly objects: readonly CatalogObject[];
  readonly nextId: number;
}

const systemSchema = (id: number, name: string, comment: string): SchemaObject =>
  Object.freeze({ kind: 'schema', id, name, owner: BOOTSTRAP_OWNER, comment });

const BUILT_IN_SCHEMAS: readonly SchemaObject[] = [
  systemSchema(PG_CATALOG_SCHEMA_ID, 'pg_catalog', 'system catalog schema'),
  systemSchema(INFORMATION_SCHEMA_ID, 'information_schema', 'standard information schema'),
  systemSchema(MILLRACE_SCHEMA_ID, 'millrace', 'system relations of Millrace'),
];

const PUBLIC_SCHEMA: SchemaObject = systemSchema(
  PUBLIC_SCHEMA_ID,
  'public',
  'standard public schema',
);

export interface RelationName {
  readonly schema: string | null;
  readonly name: string;
}

const key = (schemaId: number, name: string): string => `${schemaId}.${name}`;

export class Catalog {
  readonly nextId: number;
  readonly #objects: ReadonlyMap<number, CatalogObject>;
  readonly #relations: ReadonlyMap<string, RelationObject>;
  readonly #schemas: ReadonlyMap<string, SchemaObject>;
  readonly #secrets: ReadonlyMap<string, SecretObject>;
  readonly #system: SystemCatalog;

  private constructor(
    objects: ReadonlyMap<number, CatalogObject>,
    nextId: number,
    system: SystemCatalog,
  ) {
    this.nextId = nextId;
    this.#objects = objects;
    this.#system = system;
    const relations = new Map<string, RelationObject>();
    const schemas = new Map<string, SchemaObject>();
    const secrets = new Map<string, SecretObject>();
    for (const schema of BUILT_IN_SCHEMAS) schemas.set(schema.name, schema);
    for (const object of objects.values()) {
      if (object.kind === 'schema') schemas.set(object.name, object);
      else if (object.kind === 'secret') secrets.set(object.name, object);
      else relations.set(key(object.schemaId, object.name), object);
    }
    this.#relations = relations;
    this.#schemas = schemas;
    this.#secrets = secrets;
  }

  /** A new database: schema public and the system relations. */
  static create(system: readonly SystemRelation[] = []): Catalog {
    const objects = new Map<number, CatalogObject>([[PUBLIC_SCHEMA_ID, PUBLIC_SCHEMA]]);
    return new Catalog(objects, FIRST_USER_ID, new SystemCatalog(system));
  }

  /** The catalog of an image that `toImage` made. */
  static fromImage(image: CatalogImage, system: readonly SystemRelation[] = []): Catalog {
    const objects = new Map(image.objects.map((object) => [object.id, Object.freeze(object)]));
    return new Catalog(objects, image.nextId, new SystemCatalog(system));
  }

  toImage(): CatalogImage {
    return { objects: [...this.#objects.values()], nextId: this.nextId };
  }

  /** The snapshot after `change`. */
  apply(change: CatalogChange): Catalog {
    const objects = new Map(this.#objects);
    for (const id of change.removes) {
      assert(objects.delete(id), `catalog change removes object ${id}, which is not there`);
    }
    for (const object of change.puts) objects.set(object.id, Object.freeze(object));
    assert(change.nextId >= this.nextId, 'catalog ids go forward');
    return new Catalog(objects, change.nextId, this.#system);
  }

  /** One change that does what `changes` do in turn: a transaction's, for its one epoch. */
  static merge(changes: readonly CatalogChange[], base: Catalog): CatalogChange {
    const puts = new Map<number, CatalogObject>();
    const removes = new Set<number>();
    let nextId = base.nextId;
    for (const change of changes) {
      for (const id of change.removes) {
        puts.delete(id);
        if (base.#objects.has(id)) removes.add(id);
      }
      for (const object of change.puts) {
        puts.set(object.id, object);
        removes.delete(object.id);
      }
      nextId = Math.max(nextId, change.nextId);
    }
    return { puts: [...puts.values()], removes: [...removes], nextId };
  }

  object(id: number): CatalogObject | undefined {
    return this.#objects.get(id) ?? BUILT_IN_SCHEMAS.find((schema) => schema.id === id);
  }

  /** User objects (and schema public) in id order. */
  objects(): readonly CatalogObject[] {
    return [...this.#objects.values()].sort((a, b) => a.id - b.id);
  }

  schemas(): readonly SchemaObject[] {
    return [...this.#schemas.values()];
  }

  /** In no order. */
  secrets(): readonly SecretObject[] {
    return [...this.#secrets.values()];
  }

  secret(name: string): SecretObject | undefined {
    return this.#secrets.get(name);
  }

  schema(name: string): SchemaObject | undefined {
    return this.#schemas.get(name);
  }

  /** The schema, or 3F000. */
  requireSchema(name: string, position?: number): SchemaObject {
    const schema = this.#schemas.get(name);
    if (schema === undefined) {
      throw new SqlError('3F000', `schema "${name}" does not exist`, { position });
    }
    return schema;
  }

  schemaName(object: RelationObject): string {
    const schema = this.object(object.schemaId);
    assert(schema?.kind === 'schema', `object ${object.id} is in no schema`);
    return schema.name;
  }

  /** A user's relation in one schema. */
  relationIn(schemaId: number, name: string): RelationObject | undefined {
    return this.#relations.get(key(schemaId, name));
  }

  systemRelations(): readonly SystemRelation[] {
    return this.#system.all;
  }

  systemRelation(oid: number): SystemRelation | undefined {
    return this.#system.byOid.get(oid);
  }

  /**
   * What `name` means. Without a schema: pg_catalog first, unless the path names it, then the path in order. A schema
   * that does not exist finds nothing (callers that must say so use `requireSchema`).
   */
  findRelation(
    name: RelationName,
    searchPath: readonly string[],
  ): RelationObject | SystemRelation | undefined {
    if (name.schema !== null) return this.#inSchema(name.schema, name.name);
    for (const schema of effectivePath(searchPath)) {
      const found = this.#inSchema(schema, name.name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Where CREATE puts an object: the named schema, else the first of the path that exists (3F000 otherwise). */
  creationSchema(
    schema: string | null,
    searchPath: readonly string[],
    position?: number,
  ): SchemaObject {
    if (schema !== null) return this.requireSchema(schema, position);
    for (const name of searchPath) {
      const found = this.#schemas.get(name);
      if (found !== undefined && name !== 'pg_catalog') return found;
    }
    throw new SqlError('3F000', 'no schema has been selected to create in', { position });
  }

  /** Objects that need object `id` directly, in id order. */
  directDependents(id: number): readonly CatalogObject[] {
    return this.objects().filter((object) => dependenciesOf(object).includes(id));
  }

  #inSchema(schema: string, name: string): RelationObject | SystemRelation | undefined {
    const found = this.#schemas.get(schema);
    if (found === undefined) return undefined;
    return this.#relations.get(key(found.id, name)) ?? this.#system.byName.get(`${schema}.${name}`);
  }
}

/** The system relations with their indexes, shared by all snapshots. */
class SystemCatalog {
  readonly all: readonly SystemRelation[];
  readonly byName: ReadonlyMap<string, SystemRelation>;
  readonly byOid: ReadonlyMap<number, SystemRelation>;

  constructor(relations: readonly SystemRelation[]) {
    this.all = relations;
    this.byName = new Map(relations.map((r) => [`${r.schema}.${r.name}`, r]));
    this.byOid = new Map(relations.map((r) => [r.oid, r]));
  }
}

/** The path with pg_catalog in front, where the user did not place it. */
export function effectivePath(searchPath: readonly string[]): readonly string[] {
  return searchPath.includes('pg_catalog') ? searchPath : ['pg_catalog', ...searchPath];
}

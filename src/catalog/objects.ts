/**
 * What the catalog holds: one frozen JSON record for each object, so that the log and the checkpoint hold them as they
 * are. References between objects are by id; an id is also the object's OID (user objects start at 16384).
 */

import { SqlError } from '../base/sql-error.ts';
import type { DataType } from '../types/data-type.ts';

/** Plain JSON that only the planner reads (bound expressions, plans). */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

export interface CatalogColumn {
  readonly name: string;
  readonly type: DataType;
  readonly isNotNull: boolean;
  /** DEFAULT as the user wrote it; null: none. */
  readonly defaultText: string | null;
  /** The bound default (a BoundExpr without columns); null: NULL. */
  readonly defaultExpr: Json | null;
  /** GENERATED ALWAYS AS (...) STORED as written; null: an ordinary column. */
  readonly generatedText: string | null;
  /** The bound generation expression over the relation's columns. */
  readonly generatedExpr: Json | null;
  /** INCLUDE PARTITION AS p and the like: what the connector fills in; null: an ordinary column. */
  readonly included: string | null;
  readonly comment: string | null;
}

/** What is proved of a relation's contents, for plans that read it. Column numbers are indexes into `columns`. */
export interface RelationProperties {
  /** null: a bag. */
  readonly key: readonly number[] | null;
  readonly isAppendOnly: boolean;
  /** Columns that carry a watermark. */
  readonly watermarks: readonly number[];
}

export interface WatermarkDefinition {
  readonly column: number;
  /** The watermark is the greatest value of the column, less this many microseconds. */
  readonly delayUs: string;
  readonly text: string;
}

export interface KeyConstraint {
  readonly kind: 'primary_key' | 'unique';
  readonly name: string;
  readonly columns: readonly number[];
}

export interface CheckConstraint {
  readonly kind: 'check';
  readonly name: string;
  /** As written, without the outer parentheses. */
  readonly text: string;
  /** Bound over the relation's columns. */
  readonly expr: Json;
}

export type Constraint = KeyConstraint | CheckConstraint;

/** Names of settings and their values when the object was created (semantics.md rule 10). */
export type FrozenSettings = Readonly<Record<string, string>>;

export interface ConnectorDefinition {
  readonly connector: string;
  /** Every WITH option as written (lower-case names), `connector` included; a secret as `secretReference` says. */
  readonly options: Readonly<Record<string, string>>;
  /** PLAIN, UPSERT, DEBEZIUM in lower case. */
  readonly format: string | null;
  /** JSON, CSV ... in lower case. */
  readonly encode: string | null;
  readonly encodeOptions: Readonly<Record<string, string>>;
}

/** No text of a statement holds the character U+0000: no option's value is such a text. */
const SECRET = '\u0000secret:';

/** Stands in place of an option's value. */
export function secretReference(id: number): string {
  return `${SECRET}${id}`;
}

/** The secret that stands in place of an option's value; null: the value is itself. */
export function referencedSecret(value: string): number | null {
  return value.startsWith(SECRET) ? Number(value.slice(SECRET.length)) : null;
}

function secretsOf(connector: ConnectorDefinition | null): number[] {
  if (connector === null) return [];
  const values = [connector.options, connector.encodeOptions].flatMap(Object.values) as string[];
  return values.map(referencedSecret).filter((id) => id !== null);
}

interface ObjectBase {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly comment: string | null;
}

interface InSchema extends ObjectBase {
  readonly schemaId: number;
}

export interface SchemaObject extends ObjectBase {
  readonly kind: 'schema';
}

/** CREATE SECRET: options name it in place of a value. */
export interface SecretObject extends ObjectBase {
  readonly kind: 'secret';
  /** The value as SecretBox sealed it. */
  readonly sealed: string;
}

export interface TableObject extends InSchema {
  readonly kind: 'table';
  readonly columns: readonly CatalogColumn[];
  readonly constraints: readonly Constraint[];
  readonly watermark: WatermarkDefinition | null;
  readonly isAppendOnly: boolean;
  /** ON CONFLICT of the table itself; null: a conflict is an error. */
  readonly onConflict: 'overwrite' | 'do_nothing' | 'do_update_if_not_null' | null;
  readonly connector: ConnectorDefinition | null;
  readonly settings: FrozenSettings;
}

export interface SourceObject extends InSchema {
  readonly kind: 'source';
  readonly columns: readonly CatalogColumn[];
  readonly constraints: readonly Constraint[];
  readonly watermark: WatermarkDefinition | null;
  readonly connector: ConnectorDefinition;
  readonly settings: FrozenSettings;
}

export interface ViewObject extends InSchema {
  readonly kind: 'view';
  readonly columns: readonly CatalogColumn[];
  /** The query's SQL text. */
  readonly sql: string;
  /** The bound query (a PlanNode): names were resolved at CREATE, so that renaming what it reads changes nothing. */
  readonly plan: Json;
  readonly dependsOn: readonly number[];
  readonly settings: FrozenSettings;
}

export interface MaterializedViewObject extends InSchema {
  readonly kind: 'materialized_view';
  readonly columns: readonly CatalogColumn[];
  readonly sql: string;
  /** The StreamPlan. */
  readonly plan: Json;
  readonly properties: RelationProperties;
  readonly options: Readonly<Record<string, string>>;
  readonly dependsOn: readonly number[];
  readonly settings: FrozenSettings;
}

export interface SinkObject extends InSchema {
  readonly kind: 'sink';
  readonly columns: readonly CatalogColumn[];
  /** The query's SQL text, or `SELECT * FROM v`. */
  readonly sql: string;
  readonly plan: Json;
  readonly connector: ConnectorDefinition;
  /** SINK INTO t. */
  readonly intoTableId: number | null;
  /** Made at CREATE; keys the sink's progress (semantics.md rule 30). */
  readonly uuid: string;
  readonly dependsOn: readonly number[];
  readonly settings: FrozenSettings;
}

export interface IndexObject extends InSchema {
  readonly kind: 'index';
  readonly relationId: number;
  readonly isUnique: boolean;
  readonly keys: readonly {
    readonly column: number;
    readonly descending: boolean;
    readonly nullsFirst: boolean;
  }[];
  readonly include: readonly number[];
  /** The constraint that this index enforces: it goes with it. */
  readonly constraintName: string | null;
}

export type CatalogObject =
  | SchemaObject
  | SecretObject
  | TableObject
  | SourceObject
  | SinkObject
  | ViewObject
  | MaterializedViewObject
  | IndexObject;

/** Objects of the namespace that tables, views and indexes share. */
export type RelationObject = Exclude<CatalogObject, SchemaObject | SecretObject>;

/** Relations that a query may name in FROM. */
export type ReadableObject = TableObject | SourceObject | ViewObject | MaterializedViewObject;

/** A relation of pg_catalog, information_schema or millrace; its rows are made by serve. */
export interface SystemRelation {
  readonly kind: 'system';
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  readonly relkind: 'r' | 'v';
  readonly columns: readonly {
    readonly name: string;
    readonly type: DataType;
    readonly isNotNull?: boolean;
  }[];
}

/** How messages call an object: `table`, `materialized view` ... */
export function kindName(object: CatalogObject | SystemRelation): string {
  switch (object.kind) {
    case 'materialized_view':
      return 'materialized view';
    case 'system':
      return object.relkind === 'v' ? 'view' : 'table';
    default:
      return object.kind;
  }
}

/** pg_class.relkind. Sources show as foreign tables; sinks have no row. */
export function relkindOf(object: RelationObject): 'r' | 'v' | 'm' | 'i' | 'f' | null {
  switch (object.kind) {
    case 'table':
      return 'r';
    case 'view':
      return 'v';
    case 'materialized_view':
      return 'm';
    case 'index':
      return 'i';
    case 'source':
      return 'f';
    case 'sink':
      return null;
  }
}

export function isRelation(object: CatalogObject): object is RelationObject {
  return object.kind !== 'schema' && object.kind !== 'secret';
}

export function isReadable(object: CatalogObject): object is ReadableObject {
  return (
    object.kind === 'table' ||
    object.kind === 'source' ||
    object.kind === 'view' ||
    object.kind === 'materialized_view'
  );
}

/** The columns of the primary key, else of the first unique constraint whose columns are all NOT NULL; null: a bag. */
export function constraintKey(
  columns: readonly CatalogColumn[],
  constraints: readonly Constraint[],
): readonly number[] | null {
  let unique: readonly number[] | null = null;
  for (const constraint of constraints) {
    if (constraint.kind === 'primary_key') return constraint.columns;
    if (constraint.kind !== 'unique' || unique !== null) continue;
    if (constraint.columns.every((index) => columns[index]?.isNotNull === true)) {
      unique = constraint.columns;
    }
  }
  return unique;
}

/** Whether the connector's records change rows, so that the newest of each key is kept (semantics.md rule 26). */
export function isKeyedConnector({ format }: ConnectorDefinition): boolean {
  return format === 'upsert' || format === 'debezium';
}

/** Refuses statements that write to a table which a connector fills; `verb`: insert into, truncate ... */
export function checkWritable(
  { name, connector }: TableObject,
  verb: string,
  position?: number,
): void {
  if (connector === null) return;
  throw new SqlError('0A000', `cannot ${verb} table "${name}"`, {
    position,
    detail: `Connector "${connector.connector}" fills it.`,
    hint: 'Write to what the connector reads, or to a table of its own and read both in a view.',
  });
}

/** What plans may rely on about a readable relation that is stored or streamed (not a plain view). */
export function relationProperties(
  object: TableObject | SourceObject | MaterializedViewObject,
): RelationProperties {
  if (object.kind === 'materialized_view') return object.properties;
  const watermarks = object.watermark === null ? [] : [object.watermark.column];
  if (object.kind === 'source') {
    const isKeyed = isKeyedConnector(object.connector);
    const key = isKeyed ? constraintKey(object.columns, object.constraints) : null;
    return { key, isAppendOnly: !isKeyed, watermarks };
  }
  const key = constraintKey(object.columns, object.constraints);
  return { key, isAppendOnly: object.isAppendOnly, watermarks };
}

/** Ids of what an object needs to exist. */
export function dependenciesOf(object: CatalogObject): readonly number[] {
  switch (object.kind) {
    case 'schema':
    case 'secret':
      return [];
    case 'table':
    case 'source':
      return [object.schemaId, ...secretsOf(object.connector)];
    case 'index':
      return [object.schemaId, object.relationId];
    case 'view':
    case 'materialized_view':
      return [object.schemaId, ...object.dependsOn];
    case 'sink': {
      const into = object.intoTableId === null ? [] : [object.intoTableId];
      return [object.schemaId, ...object.dependsOn, ...into, ...secretsOf(object.connector)];
    }
  }
}

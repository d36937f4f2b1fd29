/** The session's and the catalog's answers to system functions (version(), pg_get_viewdef(), current_setting() ...). */

import { SqlError } from '../base/sql-error.ts';
import type { Catalog } from '../catalog/catalog.ts';
import {
  isReadable,
  isRelation,
  type RelationObject,
  type SystemRelation,
} from '../catalog/objects.ts';
import {
  fromDerivedOid,
  MILLRACE_ROLE_OID,
  PG_CLASS_CLASS,
  PG_NAMESPACE_CLASS,
} from '../catalog/system/oids.ts';
import { functionSignature } from '../catalog/system/pg-functions.ts';
import { indexDefinition, quoteIdentifier } from '../catalog/system/pg-views.ts';
import { functionNames } from '../catalog/system/postgres15.ts';
import type { RelationName, SystemEnvironment } from '../expr/system-environment.ts';
import type { FunctionSignature } from '../types/function-signature.ts';
import { DATABASE_NAME, type Database } from './database.ts';
import { SERVER_VERSION } from './settings.ts';
import type { SessionVariables } from './variables.ts';

export const MILLRACE_VERSION = '0.1.0';
export const VERSION_TEXT = `PostgreSQL ${SERVER_VERSION} (Millrace ${MILLRACE_VERSION})`;

export interface EnvironmentOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  readonly variables: SessionVariables;
  readonly searchPath: readonly string[];
  readonly user: string;
  readonly processId: number;
  readonly transactionId: number;
  readonly serverPort: number;
}

const CATALOG_CLASS: Readonly<Record<string, number>> = Object.freeze({
  pg_class: PG_CLASS_CLASS,
  pg_namespace: PG_NAMESPACE_CLASS,
});

export class SessionEnvironment implements SystemEnvironment {
  readonly databaseName = DATABASE_NAME;
  readonly versionText = VERSION_TEXT;
  readonly #options: EnvironmentOptions;

  constructor(options: EnvironmentOptions) {
    this.#options = options;
  }

  get userName(): string {
    return this.#options.user;
  }

  get sessionUserName(): string {
    return this.#options.user;
  }

  get backendPid(): number {
    return this.#options.processId;
  }

  get serverStartedAtUs(): bigint {
    return this.#options.database.startedUs;
  }

  get transactionId(): bigint {
    return BigInt(this.#options.transactionId);
  }

  get serverPort(): number {
    return this.#options.serverPort;
  }

  currentSetting(name: string): string | null {
    const { variables } = this.#options;
    return variables.find(name) === undefined ? null : variables.show(name);
  }

  setSetting(name: string, value: string, isLocal: boolean): string {
    this.#options.variables.set(name, value, isLocal);
    return this.#options.variables.show(name);
  }

  searchPath(withImplicit: boolean): readonly string[] {
    const { catalog, searchPath } = this.#options;
    const existing = searchPath.filter((name) => catalog.schema(name) !== undefined);
    return withImplicit && !existing.includes('pg_catalog')
      ? ['pg_catalog', ...existing]
      : existing;
  }

  relationOid(parts: readonly string[]): number | null {
    const name = parts.at(-1) ?? '';
    const schema = parts.length > 1 ? parts.at(-2)! : null;
    if (parts.length === 3 && parts[0] !== DATABASE_NAME) {
      throw new SqlError(
        '0A000',
        `cross-database references are not implemented: "${parts.join('.')}"`,
      );
    }
    const found = this.#options.catalog.findRelation({ schema, name }, this.#options.searchPath);
    if (found === undefined) return null;
    return found.kind === 'system' ? found.oid : found.id;
  }

  relationName(oid: number): RelationName | null {
    const { catalog, searchPath } = this.#options;
    const relation = this.#relation(oid);
    if (relation === null) return null;
    const schema = relation.kind === 'system' ? relation.schema : catalog.schemaName(relation);
    const isVisible =
      catalog.findRelation({ schema: null, name: relation.name }, searchPath) === relation;
    return { schema, name: relation.name, isVisible };
  }

  functionOid(parts: readonly string[]): number | null {
    return functionNames().byName.get(parts.at(-1) ?? '') ?? null;
  }

  functionName(oid: number): string | null {
    return functionNames().byOid.get(oid) ?? null;
  }

  functionSignature(oid: number): FunctionSignature | null {
    return functionSignature(oid);
  }

  schemaOid(name: string): number | null {
    return this.#options.catalog.schema(name)?.id ?? null;
  }

  schemaName(oid: number): string | null {
    return this.#options.catalog.schemas().find((schema) => schema.id === oid)?.name ?? null;
  }

  roleOid(name: string): number | null {
    return name === 'millrace' ? MILLRACE_ROLE_OID : null;
  }

  roleName(oid: number): string | null {
    return oid === MILLRACE_ROLE_OID ? 'millrace' : null;
  }

  indexDefinition(oid: number, column: number): string | null {
    const { catalog } = this.#options;
    const index = catalog.object(oid);
    if (index?.kind !== 'index') return null;
    if (column === 0) return indexDefinition(catalog, index);
    const number = [...index.keys.map((key) => key.column), ...index.include][column - 1];
    const relation = catalog.object(index.relationId);
    if (number === undefined || relation === undefined || !isReadable(relation)) return '';
    return quoteIdentifier(relation.columns[number]?.name ?? '');
  }

  viewDefinition(oid: number): string | null {
    const view = this.#options.catalog.object(oid);
    return view?.kind === 'view' || view?.kind === 'materialized_view' ? ` ${view.sql};` : null;
  }

  constraintDefinition(oid: number): string | null {
    const derived = fromDerivedOid(oid);
    if (derived?.kind !== 'constraint') return null;
    const table = this.#options.catalog.object(derived.relationId);
    if (table?.kind !== 'table' && table?.kind !== 'source') return null;
    const constraint = table.constraints[derived.index];
    if (constraint === undefined) return null;
    if (constraint.kind === 'check') return `CHECK (${constraint.text})`;
    const columns = constraint.columns
      .map((column) => quoteIdentifier(table.columns[column]!.name))
      .join(', ');
    return `${constraint.kind === 'primary_key' ? 'PRIMARY KEY' : 'UNIQUE'} (${columns})`;
  }

  objectDescription(oid: number, catalog: string | null): string | null {
    const object = this.#options.catalog.object(oid);
    if (object === undefined) return null;
    const classOid = object.kind === 'schema' ? PG_NAMESPACE_CLASS : PG_CLASS_CLASS;
    return catalog === null || CATALOG_CLASS[catalog] === classOid ? object.comment : null;
  }

  columnDescription(relation: number, attribute: number): string | null {
    const object = this.#options.catalog.object(relation);
    if (object === undefined || !isReadable(object)) return null;
    return object.columns[attribute - 1]?.comment ?? null;
  }

  relationSize(oid: number): bigint | null {
    const relation = this.#relation(oid);
    if (relation === null) return null;
    const handle = this.#options.database.engine.relation(oid);
    return handle === undefined ? 0n : BigInt(handle.wasm.buffer.byteLength);
  }

  databaseSize(): bigint {
    let bytes = 0n;
    for (const object of this.#options.catalog.objects()) {
      const handle = this.#options.database.engine.relation(object.id);
      if (handle !== undefined) bytes += BigInt(handle.wasm.buffer.byteLength);
    }
    return bytes;
  }

  signalBackend(pid: number, signal: 'cancel' | 'terminate'): boolean {
    const session = this.#options.database.sessions.get(pid);
    if (session === undefined) return false;
    session.cancel(
      signal === 'cancel'
        ? 'canceling statement due to user request'
        : 'terminating connection due to administrator command',
    );
    return true;
  }

  #relation(oid: number): RelationObject | SystemRelation | null {
    const { catalog } = this.#options;
    const object = catalog.object(oid);
    if (object !== undefined) return isRelation(object) ? object : null;
    return catalog.systemRelation(oid) ?? null;
  }
}

/** What functions ask of the session and the catalog: given from outside, absent in dataflows. */

import type { FunctionSignature } from '../types/function-signature.ts';

export interface RelationName {
  readonly schema: string;
  readonly name: string;
  readonly isVisible: boolean;
}

/**
 * The session's and the catalog's answers to system functions. OIDs are numbers; `null` is "no such object".
 * One statement sees one environment: its answers do not change while the statement runs.
 */
export interface SystemEnvironment {
  readonly databaseName: string;
  /** current_user and session_user. */
  readonly userName: string;
  readonly sessionUserName: string;
  /** The text of version(). */
  readonly versionText: string;
  readonly backendPid: number;
  readonly serverStartedAtUs: bigint;
  /** The statement's transaction number, for txid_current(). */
  readonly transactionId: bigint;
  readonly serverPort: number;
  /** A setting's value as SHOW prints it; null: no such setting. */
  currentSetting(name: string): string | null;
  /** set_config(): gives the new value; throws SqlError for a bad one. */
  setSetting(name: string, value: string, isLocal: boolean): string;
  /** Schemas of the search path that exist; `withImplicit` adds pg_catalog in front. */
  searchPath(withImplicit: boolean): readonly string[];
  /** OID of a relation named by one to three parts (already folded); null: none. */
  relationOid(parts: readonly string[]): number | null;
  relationName(oid: number): RelationName | null;
  /** A function by name, of any signature; null: none. */
  functionOid(parts: readonly string[]): number | null;
  functionName(oid: number): string | null;
  functionSignature(oid: number): FunctionSignature | null;
  schemaOid(name: string): number | null;
  schemaName(oid: number): string | null;
  roleOid(name: string): number | null;
  roleName(oid: number): string | null;
  /** pg_get_indexdef; column 0: the whole statement. */
  indexDefinition(oid: number, column: number): string | null;
  viewDefinition(oid: number): string | null;
  constraintDefinition(oid: number): string | null;
  /** obj_description; `catalog`: pg_class, pg_namespace ...; null: any. */
  objectDescription(oid: number, catalog: string | null): string | null;
  columnDescription(relation: number, attribute: number): string | null;
  /** Bytes held by a relation; null: no such relation. */
  relationSize(oid: number): bigint | null;
  databaseSize(): bigint;
  /** pg_cancel_backend / pg_terminate_backend. */
  signalBackend(pid: number, signal: 'cancel' | 'terminate'): boolean;
}

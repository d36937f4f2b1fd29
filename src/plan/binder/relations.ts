/** Names of relations in FROM: common tables of WITH first, then the catalog by search path. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { quoteIdentifier } from '../../catalog/drop.ts';
import type {
  CatalogObject,
  ReadableObject,
  SystemRelation,
  ViewObject,
} from '../../catalog/objects.ts';
import { isKeyedConnector, isReadable } from '../../catalog/objects.ts';
import type { QualifiedName } from '../../sql/ast.ts';
import { range } from '../build.ts';
import type { PlanNode, ScanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';

/** A query of WITH, bound once; each use takes its plan. */
export interface CommonTableBinding {
  readonly plan: PlanNode;
  readonly names: readonly string[];
}

export type CommonTables = ReadonlyMap<string, CommonTableBinding>;

export interface RelationUse {
  readonly plan: PlanNode;
  readonly names: readonly string[];
  /** null: not a relation of the catalog. */
  readonly oid: number | null;
  readonly schema: string | null;
}

export function relationOf(
  name: QualifiedName,
  common: CommonTables,
  state: BindState,
): RelationUse {
  const single = name.parts.length === 1 ? (name.parts[0] as string) : null;
  const table = single === null ? undefined : common.get(single);
  if (table !== undefined) return { plan: table.plan, names: table.names, oid: null, schema: null };
  const found = findRelation(name, state);
  return found.kind === 'system' ? systemUse(found) : objectUse(found, name, state);
}

/** The catalog's object of that name, or 42P01. */
export function findRelation(
  name: QualifiedName,
  state: BindState,
): CatalogObject | SystemRelation {
  const { parts, position } = name;
  if (parts.length > 2) checkDatabase(parts, position);
  const last = parts.at(-1) as string;
  const schema = parts.length > 1 ? (parts.at(-2) as string) : null;
  const { catalog, searchPath } = state.context;
  const found = catalog.findRelation({ schema, name: last }, searchPath);
  if (found !== undefined) return found;
  const text = schema === null ? last : `${schema}.${last}`;
  throw new SqlError('42P01', `relation "${text}" does not exist`, { position });
}

function checkDatabase(parts: readonly string[], position: number): void {
  if (parts[0] === 'millrace') return;
  const text = parts.map(quoteIdentifier).join('.');
  throw new SqlError('0A000', `cross-database references are not implemented: "${text}"`, {
    position,
  });
}

function systemUse(relation: SystemRelation): RelationUse {
  const { schema, name, oid, columns } = relation;
  const plan: ScanNode = {
    kind: 'scan',
    relation: { kind: 'system', id: oid, schema, name },
    columnIndexes: range(0, columns.length),
    columns: columns.map((column) => ({ name: column.name, type: column.type })),
  };
  return { plan, names: columns.map((column) => column.name), oid, schema };
}

function objectUse(object: CatalogObject, name: QualifiedName, state: BindState): RelationUse {
  const { position } = name;
  if (!isReadable(object)) {
    const what = object.kind === 'index' ? 'an index' : `a ${object.kind}`;
    throw new SqlError('42809', `"${object.name}" is ${what}`, { position });
  }
  const schema = state.context.catalog.schemaName(object);
  state.relationIds.add(object.id);
  const names = object.columns.map((column) => column.name);
  if (object.kind === 'view') {
    return { plan: viewPlan(object.plan), names, oid: object.id, schema };
  }
  const plan: ScanNode = {
    kind: 'scan',
    relation: { kind: scanKind(object), id: object.id, schema, name: object.name },
    columnIndexes: range(0, names.length),
    columns: object.columns.map((column) => ({ name: column.name, type: column.type })),
  };
  return { plan, names, oid: object.id, schema };
}

function scanKind(object: Exclude<ReadableObject, ViewObject>): ScanNode['relation']['kind'] {
  const isKept = object.kind === 'source' && isKeyedConnector(object.connector);
  return isKept ? 'stored_source' : object.kind;
}

/** A plain view's bound query, as `planPlainView` made it. */
function viewPlan(plan: unknown): PlanNode {
  return must(plan) as PlanNode;
}

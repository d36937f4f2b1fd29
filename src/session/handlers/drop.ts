/** DROP of every kind of object. */

import { SqlError } from '../../base/sql-error.ts';
import { PUBLIC_SCHEMA_ID } from '../../catalog/catalog.ts';
import { dropObjects } from '../../catalog/drop.ts';
import type { CatalogObject } from '../../catalog/objects.ts';
import type { DdlAction } from '../../dataflow/port.ts';
import type { QualifiedName } from '../../sql/ast.ts';
import type { Drop } from '../../sql/statements.ts';
import { findObject, notFound } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

const DROPPABLE: ReadonlySet<string> = new Set([
  'table',
  'source',
  'sink',
  'view',
  'materialized view',
  'index',
  'schema',
  'secret',
]);

export function planDrop(ast: Drop, { session }: HandlerContext): StatementPlan {
  if (!DROPPABLE.has(ast.object)) refuse(`DROP ${ast.object.toUpperCase()}`, ast.position);
  return command(async () => {
    await drop(ast, session);
    return `DROP ${ast.object.toUpperCase()}`;
  });
}

async function drop(ast: Drop, session: SessionState): Promise<void> {
  const transaction = session.running;
  transaction.requireWritable(`DROP ${ast.object.toUpperCase()}`);
  await transaction.lockCatalog(session.lockWait);
  const targets: CatalogObject[] = [];
  for (const name of ast.names) {
    const target = findTarget(ast, name, session);
    if (target !== null) targets.push(target);
  }
  if (targets.length === 0) return;
  const { change, dropped, notice } = dropObjects(
    session.catalog,
    targets,
    ast.behavior,
    session.searchPath,
  );
  for (const object of dropped)
    if (object.kind === 'table') await transaction.lockTable(object.id, session.lockWait);
  if (notice !== null) session.notice(notice.message, { detail: notice.detail ?? undefined });
  transaction.addDdl(change, dropped.flatMap(engineAction));
}

function findTarget(ast: Drop, name: QualifiedName, session: SessionState): CatalogObject | null {
  const found = findAny(ast, name, session);
  if (found !== null) {
    checkConstraintIndex(found);
    return found;
  }
  if (!ast.ifExists) throw notFound(ast.object, name);
  session.notice(`${ast.object} "${name.parts.join('.')}" does not exist, skipping`);
  return null;
}

function findAny(ast: Drop, name: QualifiedName, session: SessionState): CatalogObject | null {
  if (ast.object === 'schema') return findSchema(name, session);
  if (ast.object === 'secret') return session.catalog.secret(name.parts.join('.')) ?? null;
  return findObject(ast.object, name, session, 'DROP');
}

function findSchema(name: QualifiedName, { catalog }: SessionState): CatalogObject | null {
  const schema = catalog.schema(name.parts.at(-1)!);
  if (schema === undefined) return null;
  if (
    catalog.object(schema.id) === undefined ||
    schema.id < PUBLIC_SCHEMA_ID ||
    ['information_schema', 'millrace'].includes(schema.name)
  ) {
    throw new SqlError(
      '2BP01',
      `cannot drop schema ${schema.name} because it is required by the database system`,
    );
  }
  return schema;
}

function checkConstraintIndex(object: CatalogObject): void {
  if (object.kind !== 'index' || object.constraintName === null) return;
  throw new SqlError(
    '2BP01',
    `cannot drop index ${object.name} because constraint ${object.constraintName} requires it`,
    {
      hint: 'DROP the table, or leave the constraint as it is.',
    },
  );
}

function engineAction(object: CatalogObject): DdlAction[] {
  switch (object.kind) {
    case 'table':
    case 'source':
    case 'sink':
    case 'materialized_view':
      return [{ kind: 'drop', id: object.id }];
    case 'index':
      return object.constraintName === null
        ? [{ kind: 'drop_index', relationId: object.relationId, id: object.id }]
        : [];
    default:
      return [];
  }
}

/** COMMENT ON. */

import { SqlError } from '../../base/sql-error.ts';
import { isReadable, type RelationObject, type SchemaObject } from '../../catalog/objects.ts';
import type { QualifiedName } from '../../sql/ast.ts';
import type { Comment } from '../../sql/statements.ts';
import { changeOf, findObject, missingRelation, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

const COMMENTED: ReadonlySet<string> = new Set([
  'table',
  'source',
  'sink',
  'view',
  'materialized view',
  'index',
  'schema',
  'column',
]);

export function planComment(ast: Comment, { session }: HandlerContext): StatementPlan {
  if (!COMMENTED.has(ast.object)) refuse(`COMMENT ON ${ast.object.toUpperCase()}`, ast.position);
  return command(async () => {
    await session.running.lockCatalog(session.lockWait);
    const object =
      ast.object === 'column'
        ? withColumnComment(ast, session)
        : { ...target(ast, session), comment: ast.text };
    session.running.addDdl(changeOf(session.catalog, [object]), []);
    return 'COMMENT';
  });
}

function target(ast: Comment, session: SessionState): RelationObject | SchemaObject {
  if (ast.object === 'schema')
    return session.catalog.requireSchema(ast.name.parts.at(-1)!, ast.name.position);
  const found = findObject(ast.object, ast.name, session, 'COMMENT');
  if (found === null) throw missingRelation(ast.name);
  return found;
}

function withColumnComment(ast: Comment, session: SessionState): RelationObject {
  const column = ast.name.parts.at(-1)!;
  const relationName: QualifiedName = { ...ast.name, parts: ast.name.parts.slice(0, -1) };
  const found = session.catalog.findRelation(splitName(relationName), session.searchPath);
  if (found === undefined || found.kind === 'system' || !isReadable(found)) {
    throw new SqlError('42P01', `relation "${relationName.parts.join('.')}" does not exist`, {
      position: ast.name.position,
    });
  }
  if (!found.columns.some((one) => one.name === column)) {
    throw new SqlError('42703', `column "${column}" of relation "${found.name}" does not exist`, {
      position: ast.name.position,
    });
  }
  const columns = found.columns.map((one) =>
    one.name === column ? { ...one, comment: ast.text } : one,
  );
  return { ...found, columns };
}

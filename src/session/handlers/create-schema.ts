/** CREATE SCHEMA. */

import { SqlError } from '../../base/sql-error.ts';
import type { SchemaObject } from '../../catalog/objects.ts';
import type { CreateSchema } from '../../sql/statements.ts';
import { changeOf, objectBase } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';

export function planCreateSchema(ast: CreateSchema, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    const transaction = session.running;
    await transaction.lockCatalog(session.lockWait);
    if (ast.name.startsWith('pg_')) {
      throw new SqlError('42939', `unacceptable schema name "${ast.name}"`, {
        detail: 'The prefix "pg_" is reserved for system schemas.',
      });
    }
    if (session.catalog.schema(ast.name) === undefined) {
      const schema: SchemaObject = {
        kind: 'schema',
        ...objectBase(session.catalog.nextId, ast.name),
      };
      transaction.addDdl(changeOf(session.catalog, [schema]), []);
    } else if (ast.ifNotExists) {
      session.notice(`schema "${ast.name}" already exists, skipping`, { sqlstate: '42P06' });
    } else throw new SqlError('42P06', `schema "${ast.name}" already exists`);
    return 'CREATE SCHEMA';
  });
}

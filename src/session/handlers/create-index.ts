/** CREATE INDEX: a hash index on columns of a table or materialized view, used by point reads. */

import { SqlError } from '../../base/sql-error.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { IndexObject, MaterializedViewObject, TableObject } from '../../catalog/objects.ts';
import type { CreateIndex } from '../../sql/statements.ts';
import { alreadyExists, changeOf, objectBase, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

type Indexable = TableObject | MaterializedViewObject;

export function planCreateIndex(ast: CreateIndex, { session }: HandlerContext): StatementPlan {
  if (ast.where !== null) refuse('a partial index', ast.position);
  if (ast.isUnique) refuse('CREATE UNIQUE INDEX', ast.position);
  if (ast.method !== 'btree' && ast.method !== 'hash') {
    throw new SqlError('42704', `access method "${ast.method}" does not exist`, {
      position: ast.position,
    });
  }
  return command(async () => {
    await createIndex(ast, session);
    return 'CREATE INDEX';
  });
}

async function createIndex(ast: CreateIndex, session: SessionState): Promise<void> {
  const transaction = session.running;
  transaction.requireWritable('CREATE INDEX');
  await transaction.lockCatalog(session.lockWait);
  const { catalog } = session;
  const relation = indexedRelation(ast, session);
  const keys = ast.keys.map((key) => {
    if (key.expr.kind !== 'column_ref') return refuse('an index on an expression', key.position);
    const descending = key.direction === 'desc';
    const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
    return {
      column: columnNumber(relation, key.expr.parts.at(-1)!, key.position),
      descending,
      nullsFirst,
    };
  });
  const name =
    ast.name ??
    freeName(
      catalog,
      relation,
      keys.map((key) => relation.columns[key.column]!.name),
    );
  if (catalog.relationIn(relation.schemaId, name) !== undefined) {
    if (!ast.ifNotExists) throw alreadyExists(name);
    session.notice(`relation "${name}" already exists, skipping`, { sqlstate: '42P07' });
    return;
  }
  const index: IndexObject = {
    kind: 'index',
    ...objectBase(catalog.nextId, name),
    schemaId: relation.schemaId,
    relationId: relation.id,
    isUnique: false,
    keys,
    include: ast.include.map((column) => columnNumber(relation, column, ast.position)),
    constraintName: null,
  };
  const columns = keys.map((key) => key.column);
  transaction.addDdl(changeOf(catalog, [index]), [
    {
      kind: 'create_index',
      relationId: relation.id,
      id: index.id,
      index: { name, columns, isUnique: false },
    },
  ]);
}

function indexedRelation(ast: CreateIndex, session: SessionState): Indexable {
  const split = splitName(ast.table);
  const found = session.catalog.findRelation(split, session.searchPath);
  if (found === undefined) {
    throw new SqlError('42P01', `relation "${ast.table.parts.join('.')}" does not exist`, {
      position: ast.table.position,
    });
  }
  if (found.kind === 'table' || found.kind === 'materialized_view') return found;
  throw new SqlError('42809', `cannot create index on relation "${split.name}"`, {
    position: ast.table.position,
    detail: 'Indexes stand on tables and materialized views.',
  });
}

function columnNumber(relation: Indexable, name: string, position: number): number {
  const index = relation.columns.findIndex((column) => column.name === name);
  if (index < 0) throw new SqlError('42703', `column "${name}" does not exist`, { position });
  return index;
}

/** PostgreSQL's way: table_column_idx, then with a number behind. */
function freeName(catalog: Catalog, relation: Indexable, columns: readonly string[]): string {
  const base = `${relation.name}_${columns.join('_')}_idx`.slice(0, 60);
  let name = base;
  for (let number = 1; catalog.relationIn(relation.schemaId, name) !== undefined; number++)
    name = `${base}${number}`;
  return name;
}
